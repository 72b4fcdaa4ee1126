// Integer arithmetic that C++ has no name for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

// a / b, rounded up; a >= 0, b > 0.
template <class T>
constexpr T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

// The smallest multiple of `multiple` that is not less than `value`; value >= 0.
template <class T>
constexpr T round_up(T value, T multiple) {
  return ceil_div(value, multiple) * multiple;
}

// a / b, rounded towards minus infinity; b > 0.
constexpr int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// The exponent of the largest power of two that is not greater than `value`; value >= 1.
constexpr int floor_log2(int64_t value) {
  int result = 0;
  while (value >> result > 1) ++result;
  return result;
}

}  // namespace conv1d
