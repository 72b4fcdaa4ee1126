#include "passes/elementwise.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "exact.h"
#include "half.h"
#include "test_layer.h"

namespace conv1d {
namespace {

// Below and above a vector, and around the 256 elements that are computed at a time.
constexpr size_t kCounts[] = {1, 2, 3, 4, 5, 8, 11, 255, 256, 257, 600};

struct Operation {
  const char* what;
  Elementwise f;
  double (*exact)(double a, double b);
  int ulps;  // of float32
};

const Operation kOperations[] = {
    {"a sum", {Elementwise::Kind::kAdd, {}}, [](double a, double b) { return a + b; }, 1},
    {"a product", {Elementwise::Kind::kMultiply, {}}, [](double a, double b) { return a * b; }, 1},
    // 4 ulp of either factor, and the rounding of their product
    {"a gate", {Elementwise::Kind::kGate, {}}, [](double a, double b) { return std::tanh(a) / (1 + std::exp(-b)); }, 9},
    {"leaky_relu",
     {Elementwise::Kind::kActivation, {Activation::kLeakyRelu, {0.25F}}},
     [](double a, double) { return a < 0 ? a / 4 : a; },
     0},
    {"tanh", {Elementwise::Kind::kActivation, {Activation::kTanh}}, [](double a, double) { return std::tanh(a); }, 4},
};

TEST(Elementwise, IsWithinUlpsOfItsDefinition) {
  for (const Operation& operation : kOperations) {
    for (const size_t n : kCounts) {
      const auto a = random_values(n, 1);
      const auto b = random_values(n, 2);
      std::vector<float> out(n);
      apply_elementwise(operation.f, 0, a.data(), b.data(), out.data(), n);
      for (size_t i = 0; i < n; ++i) {
        const double expected = operation.exact(a[i], b[i]);
        ASSERT_LE(std::abs(out[i] - expected), operation.ulps * ulp(expected, -126, 23))
            << operation.what << " of " << n;
      }
      auto in_place = a;
      apply_elementwise(operation.f, 0, in_place.data(), b.data(), in_place.data(), n);
      EXPECT_EQ(in_place, out) << operation.what << " in place";
    }
  }
}

TEST(Elementwise, DependsOnAnElementsOperandsAlone) {
  for (const Operation& operation : kOperations) {
    const auto a = random_values(600, 1);
    const auto b = random_values(600, 2);
    std::vector<float> all(600);
    apply_elementwise(operation.f, 0, a.data(), b.data(), all.data(), 600);
    for (size_t i = 0; i < 600; ++i) {
      float alone = 0;
      apply_elementwise(operation.f, 0, &a[i], &b[i], &alone, 1);
      ASSERT_EQ(alone, all[i]) << operation.what << " at " << i;
    }
  }
}

TEST(Elementwise, OfFloat16IsThatOfFloat32RoundedOnce) {
  for (const Operation& operation : kOperations) {
    for (const size_t n : kCounts) {
      std::vector<uint16_t> a(n);
      std::vector<uint16_t> b(n);
      floats_to_halves(random_values(n, 1).data(), a.data(), n);
      floats_to_halves(random_values(n, 2).data(), b.data(), n);
      std::vector<float> wide_a(n);
      std::vector<float> wide_b(n);
      halves_to_floats(a.data(), wide_a.data(), n);
      halves_to_floats(b.data(), wide_b.data(), n);
      apply_elementwise(operation.f, 0, wide_a.data(), wide_b.data(), wide_a.data(), n);
      std::vector<uint16_t> expected(n);
      floats_to_halves(wide_a.data(), expected.data(), n);
      std::vector<uint16_t> out(n);
      apply_elementwise(operation.f, 0, a.data(), b.data(), out.data(), n);
      EXPECT_EQ(out, expected) << operation.what << " of " << n;
    }
  }
}

TEST(Elementwise, AChannelHasItsOwnParameter) {
  constexpr std::array kSlopes{0.5F, -3.0F};
  const Elementwise prelu{Elementwise::Kind::kActivation, {Activation::kPrelu, {}, kSlopes.data()}};
  for (int32_t channel = 0; channel < 2; ++channel) {
    float value = -2;
    apply_elementwise(prelu, channel, &value, &value, &value, 1);
    EXPECT_EQ(value, -2 * kSlopes[static_cast<size_t>(channel)]);
  }
}

TEST(Elementwise, SpecialNumbersPassThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> a = {kInfinity, 1, std::numeric_limits<float>::quiet_NaN(), 0, -kInfinity};
  const std::vector<float> b = {-kInfinity, kInfinity, 1, kInfinity, 2};
  std::vector<float> out(a.size());
  apply_elementwise({Elementwise::Kind::kAdd, {}}, 0, a.data(), b.data(), out.data(), a.size());
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_EQ(out[1], kInfinity);
  EXPECT_TRUE(std::isnan(out[2]));
  EXPECT_EQ(out[4], -kInfinity);
  apply_elementwise({Elementwise::Kind::kMultiply, {}}, 0, a.data(), b.data(), out.data(), a.size());
  EXPECT_EQ(out[0], -kInfinity);
  EXPECT_TRUE(std::isnan(out[3]));
}

}  // namespace
}  // namespace conv1d
