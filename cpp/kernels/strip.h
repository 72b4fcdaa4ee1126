// What every direct kernel computes.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace conv1d {

// One strip of output rows: rows[r][t] = bias[r] + sum over i of weights[i][r] * input[offsets[i] + t], summed in that
// order, each product by madd(). The index i runs over input channels, then taps.
//
// Reads up to 3 floats past the last element that an output needs when count is not a multiple of 4, and nothing past
// it when it is. Writes exactly `count` floats a row. Nothing needs alignment; output and input do not overlap.
struct Strip {
  const float* weights;    // panel [depth][rows], see pack.h
  const float* bias;       // [rows]
  const float* input;      // where the first output's first tap of channel 0 reads, if its offset is 0
  const int32_t* offsets;  // [depth] in floats
  int32_t depth;           // input channels of the group * taps
  float* output;
  size_t row_stride;  // floats from an output row to the next
  int32_t count;      // outputs a row
};

// What callers have to see to, in builds that check it.
inline void check_strip([[maybe_unused]] const Strip& s, [[maybe_unused]] int32_t rows) {
  assert(s.count >= 1 && s.depth >= 0);
  assert(s.bias != nullptr && s.output != nullptr);
  assert(s.depth == 0 || (s.weights != nullptr && s.input != nullptr && s.offsets != nullptr));
  assert(rows == 1 || s.row_stride >= static_cast<size_t>(s.count));
}

using Kernel = void (*)(const Strip&);

}  // namespace conv1d
