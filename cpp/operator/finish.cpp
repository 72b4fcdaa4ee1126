#include "operator/finish.h"

#include "half.h"
#include "options/activation.h"

namespace conv1d {

void finish_rows(const Params& params, float* sums, size_t row_stride, size_t rows, size_t count, void* output,
                 size_t at, size_t out_stride) {
  // Rows that follow each other without a gap are finished as one.
  if (row_stride == count && out_stride == count) {
    count *= rows;
    rows = 1;
  }
  for (size_t r = 0; r < rows; ++r) {
    float* row = sums + r * row_stride;
    apply_activation(params.activation, params.slope, row, count);
    if (params.dtype == DType::kFloat16) {
      floats_to_halves(row, static_cast<uint16_t*>(output) + at + r * out_stride, count);
    }
  }
}

void write_row(const Params& params, float* sums, size_t count, void* output, size_t at, size_t step) {
  apply_activation(params.activation, params.slope, sums, count);
  if (params.dtype == DType::kFloat16) {
    auto* halves = static_cast<uint16_t*>(output) + at;
    if (step == 1) return floats_to_halves(sums, halves, count);
    for (size_t i = 0; i < count; ++i) halves[i * step] = float_to_half(sums[i]);
  } else {
    auto* floats = static_cast<float*>(output) + at;
    for (size_t i = 0; i < count; ++i) floats[i * step] = sums[i];
  }
}

}  // namespace conv1d
