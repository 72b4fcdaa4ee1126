#include "operator/padding.h"

#include <algorithm>
#include <cstring>

#include "half.h"
#include "operator/planes.h"
#include "operator/weight_view.h"

namespace conv1d {

namespace {

// destination[j] = row[first + j * step], all within the row.
void pick_inside(DType dtype, const void* row, int64_t first, int64_t step, int64_t count, float* destination) {
  if (dtype == DType::kFloat32) return pick(static_cast<const float*>(row) + first, step, count, destination);
  constexpr int64_t kWidened = 512;
  const auto* halves = static_cast<const uint16_t*>(row);
  const int64_t together = step > kWidened / 8 ? 1 : (kWidened - 1) / step + 1;
  if (together == 1) {
    for (int64_t j = 0; j < count; ++j) destination[j] = half_to_float(halves[first + j * step]);
    return;
  }
  float wide[kWidened];
  for (int64_t j = 0; j < count; j += together) {
    const int64_t some = std::min(together, count - j);
    halves_to_floats(halves + first + j * step, wide, static_cast<size_t>((some - 1) * step + 1));
    pick(wide, step, some, destination + j);
  }
}

}  // namespace

int64_t source_index(PaddingMode mode, int64_t index, int64_t length) {
  if (index >= 0 && index < length) return index;
  switch (mode) {
    case PaddingMode::kZeros:
      return -1;
    case PaddingMode::kReflect:
      index = index < 0 ? -index : 2 * (length - 1) - index;
      break;
    case PaddingMode::kReplicate:
      index = index < 0 ? 0 : length - 1;
      break;
    case PaddingMode::kCircular:
      index = index < 0 ? index + length : index - length;
      break;
  }
  return index >= 0 && index < length ? index : -1;
}

namespace {

// As pick_window(), of samples that are outside of the row.
void pad_window(PaddingMode mode, DType dtype, const void* row, int64_t length, int64_t first, int64_t step,
                int64_t count, float* destination) {
  if (mode == PaddingMode::kZeros) {
    std::fill_n(destination, count, 0.0F);
    return;
  }
  for (int64_t j = 0; j < count; ++j) {
    const int64_t index = source_index(mode, first + j * step, length);
    destination[j] = index < 0 ? 0.0F : element(dtype, row, index);
  }
}

}  // namespace

void copy_window(PaddingMode mode, DType dtype, const void* row, int64_t length, int64_t first, int64_t count,
                 float* destination) {
  const auto pad = [&](int64_t begin, int64_t end) {
    pad_window(mode, dtype, row, length, first + begin, 1, end - begin, destination + begin);
  };
  const int64_t inside_begin = std::clamp<int64_t>(-first, 0, count);
  const int64_t inside_end = std::clamp<int64_t>(length - first, inside_begin, count);
  pad(0, inside_begin);
  if (inside_end > inside_begin) {
    const auto inside = static_cast<size_t>(inside_end - inside_begin);
    const int64_t source = first + inside_begin;
    if (dtype == DType::kFloat32) {
      std::memcpy(destination + inside_begin, static_cast<const float*>(row) + source, inside * sizeof(float));
    } else {
      halves_to_floats(static_cast<const uint16_t*>(row) + source, destination + inside_begin, inside);
    }
  }
  pad(inside_end, count);
}

void pick_window(PaddingMode mode, DType dtype, const void* row, int64_t length, int64_t first, int64_t step,
                 int64_t count, float* destination) {
  if (step == 1) return copy_window(mode, dtype, row, length, first, count, destination);
  const auto pad = [&](int64_t begin, int64_t end) {
    pad_window(mode, dtype, row, length, first + begin * step, step, end - begin, destination + begin);
  };
  const int64_t inside_begin = std::clamp<int64_t>(first < 0 ? (step - 1 - first) / step : 0, 0, count);
  const int64_t inside_end =
      std::clamp<int64_t>(length > first ? (length - 1 - first) / step + 1 : 0, inside_begin, count);
  pad(0, inside_begin);
  if (inside_end > inside_begin) {
    pick_inside(dtype, row, first + inside_begin * step, step, inside_end - inside_begin, destination + inside_begin);
  }
  pad(inside_end, count);
}

void fold_window(PaddingMode mode, const float* window, int64_t first, int64_t count, int64_t length, float* row) {
  for (int64_t j = 0; j < count; ++j) {
    const int64_t index = source_index(mode, first + j, length);
    if (index >= 0) row[index] += window[j];
  }
}

}  // namespace conv1d
