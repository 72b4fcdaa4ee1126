// A stretch of one group's input as kernels read it: float32, with its padding, and with every tap a contiguous read.
//
// A block has rows for each channel, and row i of a channel every stride-th position from row_start[i] of the block on.
// A span has a row for each phase that some tap meets. With stride 2, dilation 1 and 3 taps, 4 outputs:
//
//     row 0:  x0 x2 x4 x6 x8     taps 0 and 2 read it, from its first and second number on
//     row 1:  x1 x3 x5 x7        tap 1 reads it
//
// Tap windows, for taps that lie farther apart than the block is long, are a row for each tap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "operator/correlation.h"

namespace conv1d {

class InputBlock {
 public:
  // For up to `outputs` outputs. False when memory is short or the block would have more than kMaxElements.
  [[nodiscard]] bool lay_out(const Correlation& layer, int32_t outputs, bool tap_windows);

  // Of a block; kernels may read kOverRead more.
  int64_t floats() const { return int64_t{channels_} * rows_ * pitch_; }

  // Where each channel's taps read, (group_in, kernel_size), from an output's position in the block on.
  const int32_t* offsets() const { return offsets_.data(); }

  // Packs what outputs [begin, begin + count) of a group of an image meet of `input` (batch, in_channels, length).
  void pack(const Correlation& layer, const void* input, int32_t image, int32_t group, int32_t begin, int32_t count,
            float* block) const;

 private:
  bool tap_windows_ = false;
  int32_t channels_ = 0;
  int32_t rows_ = 0;   // of a channel
  int32_t pitch_ = 0;  // floats from a row to the next
  Buffer<int32_t> row_start_;
  Buffer<int32_t> offsets_;
};

}  // namespace conv1d
