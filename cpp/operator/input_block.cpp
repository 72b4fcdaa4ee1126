#include "operator/input_block.h"

#include <algorithm>

#include "operator/padding.h"
#include "operator/planes.h"

namespace conv1d {

bool InputBlock::lay_out(const Correlation& layer, int32_t outputs, bool tap_windows) {
  const int32_t taps = layer.kernel_size;
  const int32_t stride = layer.stride;
  // Taps meet all phases in turn before they come round again.
  const int32_t phases = std::min(taps, layer.phases());
  tap_windows_ = tap_windows;
  channels_ = layer.group_in();
  rows_ = tap_windows ? taps : phases;
  pitch_ = static_cast<int32_t>(pitch_of(tap_windows ? outputs : outputs + layer.reach() / stride));
  const size_t depth = static_cast<size_t>(taps) * static_cast<size_t>(channels_);
  if (floats() > kMaxElements || !row_start_.reserve(static_cast<size_t>(rows_)) || !offsets_.reserve(depth)) {
    return false;
  }
  for (int32_t row = 0; row < rows_; ++row) {
    const int32_t position = row * layer.dilation;
    row_start_[row] = tap_windows ? position : position % stride;
  }
  for (int32_t c = 0, i = 0; c < channels_; ++c) {
    const int32_t channel = c * rows_ * pitch_;
    for (int32_t k = 0; k < taps; ++k, ++i) {
      offsets_[i] = channel + (tap_windows ? k * pitch_ : k % phases * pitch_ + k * layer.dilation / stride);
    }
  }
  return true;
}

void InputBlock::pack(const Correlation& layer, const void* input, int32_t image, int32_t group, int32_t begin,
                      int32_t count, float* block) const {
  const auto row_bytes = static_cast<size_t>(layer.length) * static_cast<size_t>(element_bytes(layer.dtype));
  const auto first_row = static_cast<size_t>(image) * static_cast<size_t>(layer.in_channels) +
                         static_cast<size_t>(group) * static_cast<size_t>(channels_);
  const auto* row = static_cast<const uint8_t*>(input) + first_row * row_bytes;
  const int64_t first = layer.first + int64_t{begin} * layer.stride;
  const int64_t last = int64_t{count - 1} * layer.stride + (tap_windows_ ? 0 : layer.reach());
  for (int32_t c = 0; c < channels_; ++c, row += row_bytes) {
    for (int32_t i = 0; i < rows_; ++i, block += pitch_) {
      const int64_t start = row_start_[i];
      const int64_t samples = tap_windows_ ? count : (last - start) / layer.stride + 1;
      pick_window(layer.padding_mode, layer.dtype, row, layer.length, first + start, layer.stride, samples, block);
    }
  }
}

}  // namespace conv1d
