#include "operator/finish.h"

#include "half.h"

namespace conv1d {

void activate(const Finish& finish, int32_t channel, float* sums, size_t count) {
  apply_activation(finish.activation, finish.parameters_of(channel), sums, count);
}

void finish_rows(const Finish& finish, float* sums, size_t row_stride, const OutputRows& rows, const OutputView& out) {
  const auto count = static_cast<size_t>(rows.count);
  if (row_stride == count && finish.channels == nullptr) {
    activate(finish, rows.channel, sums, count * static_cast<size_t>(rows.rows));
  } else {
    for (int32_t r = 0; r < rows.rows; ++r) activate(finish, rows.channel + r, sums + r * row_stride, count);
  }
  const size_t at = out.at(rows.image, rows.channel, rows.begin);
  if (out.dtype == DType::kFloat32 && sums == static_cast<float*>(out.base) + at) return;
  for (int32_t r = 0; r < rows.rows; ++r) {
    write_row(sums + r * row_stride, count, out.dtype, out.base, out.at(rows.image, rows.channel + r, rows.begin),
              static_cast<size_t>(rows.step) * static_cast<size_t>(out.step));
  }
}

void write_row(const float* row, size_t count, DType dtype, void* array, size_t at, size_t step) {
  if (dtype == DType::kFloat16) {
    auto* halves = static_cast<uint16_t*>(array) + at;
    if (step == 1) return floats_to_halves(row, halves, count);
    for (size_t i = 0; i < count; ++i) halves[i * step] = float_to_half(row[i]);
  } else {
    auto* floats = static_cast<float*>(array) + at;
    for (size_t i = 0; i < count; ++i) floats[i * step] = row[i];
  }
}

}  // namespace conv1d
