#include "methods/fft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "kernels/spectra_f32.h"
#include "test_layer.h"

namespace conv1d {
namespace {

using Complex = std::complex<double>;

constexpr int32_t kMostTested = 1 << 20;

int log2_of(int32_t size) {
  int result = 0;
  while (size >> result > 1) ++result;
  return result;
}

Fft make_fft(int32_t size) {
  Fft fft;
  EXPECT_TRUE(fft.prepare(size));
  return fft;
}

std::vector<float> spectrum(const Fft& fft, std::vector<float> block) {
  fft.forward(block.data());
  return block;
}

Complex value(const std::vector<float>& spectrum, size_t i) { return {spectrum[i], spectrum[spectrum.size() / 2 + i]}; }

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

// Which root of z^M = i each value belongs to, as a multiple of pi / 2M: told by the transform of z, so that it depends
// on no knowledge of the order.
std::vector<int64_t> roots(const Fft& fft) {
  const int32_t size = fft.size();
  std::vector<float> z(static_cast<size_t>(size));
  z[1] = 1;
  z = spectrum(fft, z);
  std::vector<int64_t> result(z.size() / 2);
  for (size_t i = 0; i < result.size(); ++i) {
    const double quarter_turns = std::arg(value(z, i)) / (std::numbers::pi / size);
    result[i] = (std::llround(quarter_turns) + int64_t{2} * size) % (int64_t{2} * size);
    EXPECT_NEAR(std::abs(value(z, i)), 1, 1e-6);
    EXPECT_NEAR(quarter_turns, std::round(quarter_turns), 0.02 + size * 1e-7);
  }
  return result;
}

TEST(Fft, HasEveryRootOnce) {
  for (int32_t size = Fft::kLeastSize; size <= 1 << 15; size *= 2) {
    std::vector<int64_t> got = roots(make_fft(size));
    std::ranges::sort(got);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], static_cast<int64_t>(4 * i + 1)) << size;
  }
}

TEST(Fft, EqualsTheDefinition) {
  for (int32_t size = Fft::kLeastSize; size <= 1 << 12; size *= 2) {
    const Fft fft = make_fft(size);
    const std::vector<float> x = random_values(static_cast<size_t>(size), 1);
    const std::vector<float> got = spectrum(fft, x);
    const std::vector<int64_t> root = roots(fft);
    std::vector<Complex> powers(static_cast<size_t>(2 * size));
    for (size_t i = 0; i < powers.size(); ++i) {
      powers[i] = std::polar(1.0, std::numbers::pi / size * static_cast<double>(i));
    }
    double worst = 0;
    for (size_t i = 0; i < root.size(); ++i) {
      Complex expected = 0;
      for (size_t n = 0; n < x.size(); ++n) expected += static_cast<double>(x[n]) * powers[n * root[i] % powers.size()];
      worst = std::max(worst, std::abs(expected - value(got, i)));
    }
    EXPECT_LE(worst, 2 * log2_of(size) * 0x1p-24 * norm(x)) << size;
  }
}

TEST(Fft, GoesThereAndBackInEverySizeAtAnyAddress) {
  for (int32_t size = Fft::kLeastSize; size <= kMostTested; size *= 2) {
    const Fft fft = make_fft(size);
    const std::vector<float> x = random_values(static_cast<size_t>(size), 2);
    double largest = 0;
    for (const float value : x) largest = std::max<double>(largest, std::abs(value));
    for (const size_t shift : {0, 1, 3}) {
      // Exactly as large as needed, so that AddressSanitizer sees a read or write beyond.
      std::vector<float> block(x.size() + shift);
      std::ranges::copy(x, block.begin() + static_cast<ptrdiff_t>(shift));
      fft.forward(block.data() + shift);
      fft.inverse(block.data() + shift);
      double squares = 0;
      double worst = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = block[shift + i] / (size / 2.0) - x[i];
        squares += error * error;
        worst = std::max(worst, std::abs(error));
      }
      // Errors add up like a walk at random: with the root of the levels on average.
      EXPECT_LE(std::sqrt(squares), 0x1p-24 * std::sqrt(2 * log2_of(size)) * norm(x)) << size;
      EXPECT_LE(worst, 0x1p-24 * log2_of(size) * largest) << size;
    }
  }
}

TEST(Fft, MultipliesAsConvolutionThatComesBackNegated) {
  for (int32_t size = Fft::kLeastSize; size <= 1 << 11; size *= 2) {
    const Fft fft = make_fft(size);
    const auto count = static_cast<size_t>(size);
    const std::vector<float> a = random_values(count, 3);
    const std::vector<float> b = random_values(count, 4);
    std::vector<double> expected(count);
    for (size_t i = 0; i < count; ++i) {
      for (size_t j = 0; j < count; ++j) {
        const double product = static_cast<double>(a[i]) * b[j];
        expected[(i + j) % count] += i + j < count ? product : -product;
      }
    }
    std::vector<float> product(count);
    add_products(spectrum(fft, a).data(), count, spectrum(fft, b).data(), count, 1, product.data(), size);
    fft.inverse(product.data());
    for (size_t i = 0; i < count; ++i) {
      ASSERT_NEAR(product[i] / (size / 2.0), expected[i], 2 * log2_of(size) * 0x1p-24 * norm(a) * norm(b)) << size;
    }
  }
}

TEST(Fft, KnownSpectra) {
  for (int32_t size = Fft::kLeastSize; size <= 1 << 14; size *= 2) {
    const Fft fft = make_fft(size);
    std::vector<float> block(static_cast<size_t>(size));
    EXPECT_EQ(spectrum(fft, block), block);  // silence
    block[0] = 3;
    std::vector<float> flat(block.size());
    std::fill_n(flat.begin(), size / 2, 3.0F);
    EXPECT_EQ(spectrum(fft, block), flat);  // a click
    // z^M is i at all roots.
    block[0] = 0;
    block[static_cast<size_t>(size / 2)] = 3;
    std::ranges::rotate(flat, flat.begin() + size / 2);
    EXPECT_EQ(spectrum(fft, block), flat);
  }
}

TEST(Fft, IsLinear) {
  for (const int32_t size : {32, 64, 4096, 8192}) {
    const Fft fft = make_fft(size);
    const std::vector<float> a = random_values(static_cast<size_t>(size), 5);
    const std::vector<float> b = random_values(static_cast<size_t>(size), 6);
    std::vector<float> sum(a.size());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = 2 * a[i] - 4 * b[i];
    const std::vector<float> of_a = spectrum(fft, a);
    const std::vector<float> of_b = spectrum(fft, b);
    const std::vector<float> of_sum = spectrum(fft, sum);
    for (size_t i = 0; i < sum.size(); ++i) {
      ASSERT_NEAR(of_sum[i], 2 * of_a[i] - 4 * of_b[i], 4 * log2_of(size) * 0x1p-24 * norm(sum)) << size;
    }
  }
}

TEST(Fft, TellsOfNumbersThatAreNone) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int32_t size : {32, 64, 8192, 16384}) {
      const Fft fft = make_fft(size);
      std::vector<float> block(static_cast<size_t>(size), 1);
      block[static_cast<size_t>(size / 3)] = bad;
      fft.forward(block.data());
      fft.inverse(block.data());
      for (const float x : block) ASSERT_FALSE(std::isfinite(x)) << size;
    }
  }
}

}  // namespace
}  // namespace conv1d
