// What an activation should give, in float64, and how far from it float32 and float16 arithmetic may lie.
#pragma once

#include <algorithm>
#include <cmath>

#include "options/params.h"

namespace conv1d {

// Right for any finite x, to an error far below one ulp of float32; at the infinities the limits.
inline double exact_activation(Activation f, const float* parameters, double x) {
  switch (f) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kLeakyRelu:
      return x < 0 ? x * parameters[0] : x;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      break;
  }
  if (std::isinf(x)) return x < 0 ? 0 : x;
  if (f == Activation::kSilu) return x / (1 + std::exp(-x));
  if (f == Activation::kGelu) return x * 0.5 * std::erfc(x * -0.70710678118654752);
  // 1 + tanh(u) would lose everything for negative u; it is 2 / (1 + exp(-2u)).
  return x / (1 + std::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
}

// The steepest that an activation with these parameters is.
inline double lipschitz(Activation f, const float* parameters) {
  const ActivationEntry& entry = entry_of(f);
  return entry.or_parameter ? std::max(entry.lipschitz, std::abs(static_cast<double>(parameters[0]))) : entry.lipschitz;
}

inline double ulp(double value, int least_exponent, int fraction_bits) {
  const int exponent = value == 0 ? least_exponent : std::max(std::ilogb(value), least_exponent);
  return std::ldexp(1.0, exponent - fraction_bits);
}

// How far from `expected` an output may lie whose sum may be off by `sum_tolerance`: the activation and the rounding to
// float16 add their errors; tests/fixtures/README.md states the formula.
inline double output_tolerance(const Params& params, int32_t channel, double expected, double sum_tolerance) {
  const float* parameters = params.finish.parameters_of(channel);
  double result = sum_tolerance * lipschitz(params.finish.activation, parameters);
  if (params.finish.activation != Activation::kNone) result += 4 * ulp(std::abs(expected) + result, -126, 23);
  if (params.dtype == DType::kFloat16) result += 0.5 * ulp(std::abs(expected) + result, -14, 10);
  return result;
}

}  // namespace conv1d
