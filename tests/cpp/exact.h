// What an activation should give, in float64, and how far from it float32 and float16 arithmetic may lie.
#pragma once

#include <algorithm>
#include <cmath>

#include "options/params.h"

namespace conv1d {

template <class Float>
Float exact_softplus(Float x, Float beta) {
  // log(1 + exp(u)) would lose all of a small exp(u), or be infinite.
  return std::max(x, Float{0}) + std::log1p(std::exp(-std::abs(beta * x))) / beta;
}

// As PyTorch defines them, and snake (Ziyin et al., Neural networks fail to learn periodic
// functions and how to fix it, 2020, eq. 3). Right for any finite x, to an error far below one ulp of float32; at the
// infinities the limits.
template <class Float>
Float definition_of(Activation f, const float* parameters, Float x) {
  const Float first = parameters[0];
  switch (f) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kRelu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case Activation::kLeakyRelu:
    case Activation::kPrelu:
      return x < 0 ? x * first : x;
    case Activation::kElu:
      return x < 0 ? first * std::expm1(x) : x;
    case Activation::kSelu:
      return Float{1.0507009873554805} * (x < 0 ? Float{1.6732632423543772} * std::expm1(x) : x);
    case Activation::kHardTanh:
      return x < first ? first : x > parameters[1] ? parameters[1] : x;
    case Activation::kHardSigmoid:
      return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6;
    case Activation::kHardSwish:
      return x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kSoftplus:
      return exact_softplus(x, first);
    default:
      break;
  }
  if (f == Activation::kSoftsign) return std::isinf(x) ? std::copysign(Float{1}, x) : x / (1 + std::abs(x));
  if (f == Activation::kSnake) return std::isinf(x) ? x : x + std::pow(std::sin(first * x), Float{2}) / first;
  if (std::isinf(x)) return x < 0 ? 0 : x;
  if (f == Activation::kSilu) return x / (1 + std::exp(-x));
  if (f == Activation::kMish) return x * std::tanh(exact_softplus(x, Float{1}));
  if (f == Activation::kGelu) return x * 0.5 * std::erfc(x * -0.70710678118654752);
  // 1 + tanh(u) would lose everything for negative u; it is 2 / (1 + exp(-2u)).
  return x / (1 + std::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
}

inline double exact_activation(Activation f, const float* parameters, double x) {
  return definition_of(f, parameters, x);
}

// What the error of an output is relative to: itself, but where a snake's terms may cancel, its input.
inline double scale_of(Activation f, double input, double output) {
  return f == Activation::kSnake ? std::abs(input) : std::abs(output);
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
  // |x| <= |x + sin(alpha x)^2 / alpha| + 1 / |alpha|
  const double cancelled = params.finish.activation == Activation::kSnake ? 1 / std::abs(double{parameters[0]}) : 0;
  if (params.finish.activation != Activation::kNone) {
    result += 4 * ulp(std::abs(expected) + cancelled + result, -126, 23);
  }
  if (params.dtype == DType::kFloat16) result += 0.5 * ulp(std::abs(expected) + result, -14, 10);
  return result;
}

}  // namespace conv1d
