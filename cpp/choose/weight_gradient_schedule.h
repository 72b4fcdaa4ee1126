// How the gradient of weights is cut (methods/weight_gradient.h).
#pragma once

#include <cstdint>

#include "kernels/dots_f32.h"
#include "operator/correlation.h"
#include "options/params.h"

namespace conv1d {

struct WeightGradientSchedule {
  int32_t channels;  // input channels of a piece; divides those of a group
  int32_t block;     // outputs of a row that are read at once
  int32_t images;    // whose short rows are gathered to longer ones
  int32_t chunks;    // of all blocks, each with sums of its own
  // Whether kernels read what needs no padding straight from the caller's rows.
  bool direct;
  // Whether a packed block holds a window for each tap instead of one span for all.
  bool tap_windows;
  int32_t fft_size;  // of spectra in place of products, or 0; there is then one chunk
  int threads;
};

// All but `threads` depends on the layer alone, so that sums do not depend on threads.
WeightGradientSchedule schedule_weight_gradient(Algorithm wanted, const Correlation& layer, int threads);

// The kernel to start with when `rows` output channels are left, and how many it takes.
struct DotsTile {
  int32_t rows;
  void (*run)(const Dots& dots);
};
const DotsTile& choose_dots(int32_t rows);

}  // namespace conv1d
