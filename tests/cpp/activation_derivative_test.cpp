#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "exact.h"

namespace conv1d {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct WithParameters {
  Activation activation;
  std::array<float, kMostParameters> parameters;

  double steepest() const { return std::max(1.0, lipschitz(activation, parameters.data())); }
  std::string name() const {
    return entry_of(activation).name + (" " + std::to_string(parameters[0])) + " " + std::to_string(parameters[1]);
  }
  float operator()(float x) const {
    apply_activation(activation, parameters.data(), &x, 1);
    return x;
  }
  // Times 1.
  float derivative(DerivativeOf of, float value) const {
    float result = 1;
    apply_derivative(activation, parameters.data(), of, &value, &result, 1);
    return result;
  }
  bool has_of_output() const { return has_derivative_of_output(activation, parameters.data()); }
};

std::vector<WithParameters> all_functions() {
  std::vector<WithParameters> all;
  for (size_t i = 0; i < std::size(kActivations); ++i) {
    const auto& [first, second] = kActivations[i].parameters;
    all.push_back(
        {static_cast<Activation>(i), {static_cast<float>(first.initial), static_cast<float>(second.initial)}});
  }
  all.insert(all.end(), {{Activation::kLeakyRelu, {3}},
                         {Activation::kPrelu, {-0.5F}},
                         {Activation::kPrelu, {0}},
                         {Activation::kPrelu, {1e-30F}},
                         {Activation::kElu, {-1.5F}},
                         {Activation::kElu, {0}},
                         {Activation::kElu, {7}},
                         {Activation::kSoftplus, {0.3F}},
                         {Activation::kSoftplus, {4}},
                         {Activation::kHardTanh, {-2.5F, -0.25F}},
                         {Activation::kHardTanh, {0, 30}},
                         {Activation::kSnake, {0.1F}},
                         {Activation::kSnake, {-3.3F}}});
  return all;
}

// By central differences; they are of no use closer to a corner than `step`.
double difference(const WithParameters& f, double x, double step) {
  const auto at = [&](long double place) { return definition_of(f.activation, f.parameters.data(), place); };
  const long double high = static_cast<long double>(x) + step;
  const long double low = static_cast<long double>(x) - step;
  return static_cast<double>((at(high) - at(low)) / (high - low));
}

// Where f' is not continuous, or bends.
std::vector<double> corners_of(const WithParameters& f) {
  switch (f.activation) {
    case Activation::kRelu6:
      return {0, 6};
    case Activation::kHardTanh:
      return {f.parameters[0], f.parameters[1]};
    case Activation::kHardSigmoid:
    case Activation::kHardSwish:
      return {-3, 3};
    case Activation::kRelu:
    case Activation::kLeakyRelu:
    case Activation::kPrelu:
    case Activation::kElu:
    case Activation::kSelu:
    case Activation::kSoftsign:
      return {0};
    default:
      return {};
  }
}

// Floats from all over their range, closer together where functions bend.
std::vector<float> places() {
  std::vector<float> all;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 400009) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isfinite(x)) all.push_back(x);
  }
  for (int i = -4000; i < 4000; ++i) all.push_back(0.00937F * static_cast<float>(i));
  return all;
}

TEST(ActivationDerivative, IsTheSlopeOfTheDefinition) {
  const std::vector<float> values = places();
  for (const WithParameters& f : all_functions()) {
    std::array<double, 2> worst{};
    for (const float x : values) {
      const double step = std::max(0x1p-13, std::abs(double{x}) * 0x1p-40);
      bool near_corner = false;
      for (const double corner : corners_of(f)) near_corner = near_corner || std::abs(x - corner) <= step;
      // Of larger numbers times alpha, float64 and long double lose the phase.
      if (near_corner || (f.activation == Activation::kSnake && std::abs(x) > 0x1p15)) continue;
      const double expected = difference(f, x, step);
      const auto check = [&](DerivativeOf of, float value) {
        const double error = std::abs(f.derivative(of, value) - expected) / f.steepest();
        double& own = worst[static_cast<size_t>(of)];
        if (!(error <= own)) own = error;
        ASSERT_LE(error, 1e-6) << f.name() << " at " << x << (of == DerivativeOf::kInput ? "" : " from its output");
      };
      check(DerivativeOf::kInput, x);
      if (f.has_of_output()) check(DerivativeOf::kOutput, f(x));
      if (HasFatalFailure()) return;
    }
    std::printf("%s: %.2g of the steepest, %.2g from outputs\n", f.name().c_str(), worst[0], worst[1]);
  }
}

// PyTorch 1.13's, in float32.
TEST(ActivationDerivative, AtCornersIsThatOfPyTorch) {
  struct Corner {
    Activation f;
    float x;
    float expected;
  };
  for (const auto& [f, x, expected] : {
           Corner{Activation::kRelu, 0, 0},
           {Activation::kLeakyRelu, 0, 0.01F},
           {Activation::kPrelu, 0, 0.25F},
           {Activation::kRelu6, 0, 0},
           {Activation::kRelu6, 6, 0},
           {Activation::kElu, 0, 1},
           {Activation::kSelu, 0, 1.75809934F},
           {Activation::kHardTanh, -1, 0},
           {Activation::kHardTanh, 1, 0},
           {Activation::kHardSigmoid, -3, 0},
           {Activation::kHardSigmoid, 3, 0},
           {Activation::kHardSwish, -3, -0.5F},
           {Activation::kHardSwish, 3, 1},  // as its vectors have it; 1.5 where it computes one alone
       }) {
    const auto& [first, second] = entry_of(f).parameters;
    const WithParameters own{f, {static_cast<float>(first.initial), static_cast<float>(second.initial)}};
    EXPECT_FLOAT_EQ(own.derivative(DerivativeOf::kInput, x), expected) << own.name() << " at " << x;
    if (own.has_of_output()) {
      EXPECT_FLOAT_EQ(own.derivative(DerivativeOf::kOutput, own(x)), expected) << own.name() << " of f(" << x << ")";
    }
  }
}

TEST(ActivationDerivative, KeepsNaNAndHasLimits) {
  for (const WithParameters& f : all_functions()) {
    if (f.activation == Activation::kNone) continue;
    for (const auto of : {DerivativeOf::kInput, DerivativeOf::kOutput}) {
      EXPECT_TRUE(std::isnan(f.derivative(of, std::nanf("")))) << f.name();
    }
    if (f.activation == Activation::kSnake) continue;  // it has none
    for (const float x : {-kInfinity, kInfinity}) {
      const float limit = f.derivative(DerivativeOf::kInput, x);
      EXPECT_NEAR(limit, f.derivative(DerivativeOf::kInput, std::copysign(1e30F, x)), 1e-6) << f.name();
      if (!f.has_of_output() || std::isnan(f(x))) continue;  // 0 times Inf
      EXPECT_NEAR(f.derivative(DerivativeOf::kOutput, f(x)), limit, 1e-6) << f.name();
    }
  }
}

TEST(ActivationDerivative, MultipliesTheGradientsOfAnyCount) {
  for (const WithParameters& f : all_functions()) {
    for (const size_t n : {0, 1, 2, 3, 4, 5, 7, 63, 64, 65, 130}) {
      // On the heap, where a sanitizer sees any access beyond them.
      const std::unique_ptr<float[]> values(new float[n]);
      const std::unique_ptr<float[]> gradients(new float[n]);
      for (size_t i = 0; i < n; ++i) {
        values[i] = 0.37F * static_cast<float>(i % 13) - 2.1F;
        gradients[i] = static_cast<float>(i) - 1.5F;
      }
      apply_derivative(f.activation, f.parameters.data(), DerivativeOf::kInput, values.get(), gradients.get(), n);
      for (size_t i = 0; i < n; ++i) {
        EXPECT_EQ(gradients[i], (static_cast<float>(i) - 1.5F) * f.derivative(DerivativeOf::kInput, values[i]))
            << f.name() << ", " << i << " of " << n;
      }
    }
  }
}

}  // namespace
}  // namespace conv1d
