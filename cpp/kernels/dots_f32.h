// Products of rows, summed over time: what gradients of weights are.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace conv1d {

// sums[r * sum_stride + i] += sum over t in [0, count): rows[r * row_stride + t] * input[offsets[i] + t]. The index i
// runs over input channels, then taps. Nothing is read beyond that, and nothing needs alignment.
struct Dots {
  const float* rows;
  size_t row_stride;
  const float* input;
  const int32_t* offsets;  // [columns] in floats
  int32_t columns;
  int32_t count;
  float* sums;
  size_t sum_stride;
};

// <rows>x<columns whose sums are in registers>.
void dots_f32_6x2(const Dots& dots);
void dots_f32_3x3(const Dots& dots);
void dots_f32_2x4(const Dots& dots);
void dots_f32_1x5(const Dots& dots);

// The sum of a row.
double sum_f32(const float* row, size_t count);

}  // namespace conv1d
