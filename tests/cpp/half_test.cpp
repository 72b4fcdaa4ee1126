#include "half.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace conv1d {
namespace {

constexpr uint32_t kInfinity = 0x7c00;

bool is_nan(uint32_t half) { return (half & 0x7fff) > kInfinity; }

// The definition of binary16.
double value_of(uint32_t half) {
  const auto exponent = static_cast<int>((half >> 10) & 31);
  const auto fraction = static_cast<double>(half & 1023);
  const double magnitude = exponent == 31  ? (fraction == 0 ? HUGE_VAL : NAN)
                           : exponent == 0 ? std::ldexp(fraction, -24)
                                           : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) == 0 ? magnitude : -magnitude;
}

uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

// The floats that round to a half of positive sign: those whose bits are in [begin, end). Between two halves they meet
// at the mean, which is a float32 and belongs to the even one. Infinity takes the place of 2^16.
struct Interval {
  uint32_t begin;
  uint32_t end;
};

Interval interval_of(uint32_t half) {
  // The bits of the first float that does not round to a half below `upper`, nor to one at all if that is Inf.
  const auto boundary = [](uint32_t upper) {
    const double value = upper == kInfinity ? 0x1p16 : value_of(upper);
    const auto mean = static_cast<float>((value_of(upper - 1) + value) / 2);
    return bits_of(mean) + (upper % 2 == 0 ? 0 : 1);
  };
  return {.begin = half == 0 ? 0 : boundary(half),
          .end = half == kInfinity ? bits_of(std::numeric_limits<float>::infinity()) + 1 : boundary(half + 1)};
}

TEST(Half, ToFloat) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float got = half_to_float(static_cast<uint16_t>(half));
    if (is_nan(half)) {
      EXPECT_TRUE(std::isnan(got)) << half;
    } else {
      EXPECT_EQ(bits_of(got), bits_of(static_cast<float>(value_of(half)))) << half;
    }
  }
}

TEST(Half, ThereAndBackAgain) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const uint16_t back = float_to_half(half_to_float(static_cast<uint16_t>(half)));
    if (is_nan(half)) {
      EXPECT_TRUE(is_nan(back)) << half;
    } else {
      EXPECT_EQ(back, half);
    }
  }
}

TEST(Half, FromFloatToNearestEven) {
  EXPECT_EQ(float_to_half(1.0F), 0x3c00);
  EXPECT_EQ(float_to_half(-2.0F), 0xc000);
  EXPECT_EQ(float_to_half(1.0F + 0x1p-11F), 0x3c00);
  EXPECT_EQ(float_to_half(1.0F + 0x3p-11F), 0x3c02);
  EXPECT_EQ(float_to_half(0x1.ffep-1F), 0x3c00);
  EXPECT_EQ(float_to_half(65504.0F), 0x7bff);
  EXPECT_EQ(float_to_half(65519.996F), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0F), 0x7c00);
  EXPECT_EQ(float_to_half(-1e30F), 0xfc00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(float_to_half(0x1p-14F), 0x0400);
  EXPECT_EQ(float_to_half(0x1.ff8p-15F), 0x03ff);
  EXPECT_EQ(float_to_half(0x1.ffcp-15F), 0x0400);
  EXPECT_EQ(float_to_half(0x1p-24F), 0x0001);
  EXPECT_EQ(float_to_half(0x1p-25F), 0x0000);
  EXPECT_EQ(float_to_half(0x1.000002p-25F), 0x0001);
  EXPECT_EQ(float_to_half(0x1p-149F), 0x0000);
  EXPECT_EQ(float_to_half(-0.0F), 0x8000);
}

TEST(Half, KeepsNaN) {
  for (const uint32_t bits : {0x7fc00000U, 0x7f800001U, 0x7fffffffU, 0xffc00000U, 0xff800001U, 0xff801fffU}) {
    EXPECT_TRUE(is_nan(float_to_half(std::bit_cast<float>(bits)))) << bits;
  }
}

// On both sides of every boundary.
TEST(Half, FromFloatAtTheBoundaries) {
  for (uint32_t half = 0; half <= kInfinity; ++half) {
    const Interval interval = interval_of(half);
    for (const uint32_t bits : {interval.begin, interval.end - 1}) {
      EXPECT_EQ(float_to_half(std::bit_cast<float>(bits)), half) << bits;
      EXPECT_EQ(float_to_half(std::bit_cast<float>(bits | 0x80000000)), half | 0x8000) << bits;
    }
  }
}

// Exactly n elements on the heap, where a sanitizer sees any access beyond them; the same bits as one by one.
TEST(Half, ArraysOfAnyLength) {
  for (size_t n = 0; n < 40; ++n) {
    const std::unique_ptr<uint16_t[]> halves(new uint16_t[n]);
    const std::unique_ptr<float[]> floats(new float[n]);
    const std::unique_ptr<uint16_t[]> back(new uint16_t[n]);
    for (size_t i = 0; i < n; ++i) halves[i] = static_cast<uint16_t>((i * 8191) + n);
    halves_to_floats(halves.get(), floats.get(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(bits_of(floats[i]), bits_of(half_to_float(halves[i])));
    floats_to_halves(floats.get(), back.get(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(back[i], float_to_half(floats[i]));
  }
}

TEST(Half, ArraysKeepWhatFollows) {
  for (size_t n = 0; n < 20; ++n) {
    std::vector<uint16_t> halves(n + 1, 0x1234);
    std::vector<float> floats(n + 1, 0.5F);
    halves_to_floats(halves.data(), floats.data(), n);
    EXPECT_EQ(floats[n], 0.5F);
    std::ranges::fill(floats, 1.0F);
    floats_to_halves(floats.data(), halves.data(), n);
    EXPECT_EQ(halves[n], 0x1234);
  }
}

#if defined(__SSE2__)
// A page's audio code may have asked the CPU to take denormals for zero.
TEST(Half, DoesNotCareAboutFlushToZero) {
  const unsigned before = _mm_getcsr();
  std::vector<uint16_t> halves(0x10000);
  std::vector<float> floats(halves.size());
  std::vector<uint16_t> back(halves.size());
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  _mm_setcsr(before | 0x8040);  // flush to zero, denormals are zero
  halves_to_floats(halves.data(), floats.data(), halves.size());
  floats_to_halves(floats.data(), back.data(), floats.size());
  _mm_setcsr(before);
  for (uint32_t half = 0; half < 0x10000; ++half) {
    if (is_nan(half)) continue;
    ASSERT_EQ(bits_of(floats[half]), bits_of(static_cast<float>(value_of(half))));
    ASSERT_EQ(back[half], half);
  }
}
#endif

TEST(HalfExhaustive, FromEveryFloat) {
  const auto work = [](uint32_t sign, std::string* failure) {
    constexpr size_t kBlock = 4096;
    std::array<float, kBlock> floats;
    std::array<uint16_t, kBlock> halves;
    const auto convert = [&](uint32_t begin, size_t n) {
      for (uint32_t i = 0; i < n; ++i) floats[i] = std::bit_cast<float>((begin + i) | (sign << 31));
      floats_to_halves(floats.data(), halves.data(), n);
    };
    const auto fail = [&](uint32_t bits) { *failure = "at float32 bits " + std::to_string(bits | (sign << 31)); };
    uint32_t next = 0;
    for (uint32_t half = 0; half <= kInfinity; ++half) {
      const Interval interval = interval_of(half);
      if (interval.begin != next) return fail(next);
      next = interval.end;
      const auto want = static_cast<uint16_t>(half | (sign << 15));
      for (uint32_t at = interval.begin; at < interval.end;) {
        const size_t n = std::min<size_t>(kBlock, interval.end - at);
        convert(at, n);
        const auto* const wrong = std::find_if(halves.data(), halves.data() + n, [&](uint16_t h) { return h != want; });
        if (wrong != halves.data() + n) return fail(at + static_cast<uint32_t>(wrong - halves.data()));
        at += static_cast<uint32_t>(n);
      }
    }
    for (uint32_t at = next; at < 0x80000000;) {
      const size_t n = std::min<size_t>(kBlock, 0x80000000 - at);
      convert(at, n);
      const auto* const wrong = std::find_if_not(halves.data(), halves.data() + n, is_nan);
      if (wrong != halves.data() + n) return fail(at + static_cast<uint32_t>(wrong - halves.data()));
      at += static_cast<uint32_t>(n);
    }
  };
  std::array<std::string, 2> failures;
  std::thread negative(work, 1, &failures[1]);
  work(0, failures.data());
  negative.join();
  EXPECT_EQ(failures[0], "");
  EXPECT_EQ(failures[1], "");
}

}  // namespace
}  // namespace conv1d
