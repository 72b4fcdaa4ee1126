// The list of kernels, what each can do and what it costs; the only place with heuristics.
#pragma once

#include <cstdint>

#include "kernels/dense_f32.h"
#include "params.h"

namespace conv1d {

struct DenseTile {
  const char* name;
  int32_t rows;   // output channels
  int32_t width;  // outputs a row that the kernel holds in registers
  DenseKernel run;
};

// The tile to start with when `channels` output channels of a group are left.
const DenseTile& dense_tile(int32_t channels);

// How one input shape is worked through.
struct Schedule {
  // Whether kernels read interior outputs straight from the caller's rows; edges are always packed.
  bool direct;
  // Whether a packed block holds a window for each tap instead of one span for all (taps wider apart than the block).
  bool tap_windows;
  int32_t block;     // outputs of a packed block
  int32_t strip;     // outputs of a strip read directly
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  int32_t threads;
};

Schedule choose_schedule(const Params& params, const Geometry& geometry, int threads);

}  // namespace conv1d
