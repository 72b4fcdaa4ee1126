// How Direct works through one input shape.
#pragma once

#include <cstdint>

#include "choose/tiles.h"
#include "operator/correlation.h"

namespace conv1d {

struct DirectSchedule {
  Vectors vectors;
  // Whether kernels read interior outputs straight from the caller's rows; edges are always packed.
  bool direct;
  // Whether a packed block holds a window for each tap instead of one span for all (taps wider apart than the block).
  bool tap_windows;
  int32_t block;     // outputs of a packed block
  int32_t strip;     // outputs of a strip read directly
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  int32_t threads;
};

DirectSchedule schedule_direct(const Correlation& layer, int threads);

// Whether the phases of a layer's transpose are better computed as channels of one convolution.
bool joins_phases(const Dimensions& layer);

// Outputs of the strips in which a stream's history is read.
int32_t choose_stream_strip(const Dimensions& layer);

// Outputs of a block that a transform leaves to the definition, of up to `most`, when they meet `rows` rows of
// `window` samples beside their own each.
int32_t choose_definition_block(int32_t most, int64_t rows, int64_t window);

}  // namespace conv1d
