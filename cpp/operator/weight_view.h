// A weight array as a convolution reads it, in whichever order it lies.
#pragma once

#include <cstdint>

#include "half.h"
#include "operator/correlation.h"

namespace conv1d {

// Element i of an array of `dtype`, as a float.
inline float element(DType dtype, const void* array, int64_t i) {
  return dtype == DType::kFloat32 ? static_cast<const float*>(array)[i]
                                  : half_to_float(static_cast<const uint16_t*>(array)[i]);
}

// The weight of (group, output channel of it, input channel of it, tap) is element group * `group` + o * `out` + c *
// `in` + k * `tap` from element `first` of `base` on. Strides may be negative.
struct WeightView {
  const void* base;
  DType dtype;
  int64_t first;
  int64_t group;
  int64_t out;
  int64_t in;
  int64_t tap;

  int64_t row(int64_t g, int64_t o, int64_t c) const { return first + g * group + o * out + c * in; }
  float at(int64_t g, int64_t o, int64_t c, int64_t k) const { return element(dtype, base, row(g, o, c) + k * tap); }
};

// Of an array (groups, group_out, group_in, kernel_size).
inline WeightView view_of(const Dimensions& d, DType dtype, const void* weights) {
  const int64_t row = d.kernel_size;
  const int64_t channel = row * d.group_in();
  return {.base = weights,
          .dtype = dtype,
          .first = 0,
          .group = channel * d.group_out(),
          .out = channel,
          .in = row,
          .tap = 1};
}

// What transposed_of() reads of the forward's weights.
inline WeightView transposed_view(const WeightView& forward, const Dimensions& d, const TransposedPhase& transposed) {
  WeightView view = forward;
  view.first += transposed.first_tap * forward.tap;
  view.out = forward.in;
  view.in = forward.out;
  view.tap = -forward.tap * d.phases();
  return view;
}

}  // namespace conv1d
