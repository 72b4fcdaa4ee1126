// How Toom-Cook cuts a layer's taps and works through one input shape (methods/toom_cook.h).
#pragma once

#include <cstdint>

#include "operator/correlation.h"

namespace conv1d {

// How the taps of a layer are cut.
struct ToomCut {
  int32_t phases;        // of each channel
  int32_t dilation;      // D
  int32_t chunk_taps;    // the most of one chunk
  int32_t chunks;        // the most of one phase
  int32_t point_phases;  // the first phases, this many, have chunks of several taps
  int32_t single_begin;  // phases [single_begin, single_end) have a tap that stands alone
  int32_t single_end;
  int32_t depth;         // chunks of several taps, all channels of a group together
  int32_t single_depth;  // taps that stand alone

  int32_t single_phases() const { return single_end - single_begin; }
  // Points at which chunks are transformed: four outputs need as many as a product of polynomials has coefficients.
  int32_t points() const { return chunk_taps + 3; }
};

ToomCut cut_taps(const Dimensions& layer);

// Taps of one phase in one chunk; 1 for a tap that stands alone, 0 where there are none.
int32_t chunk_taps(const Dimensions& layer, const ToomCut& cut, int32_t phase, int32_t chunk);

// Calls f(phase, chunk, taps) for all that have taps, phase by phase.
template <class F>
void for_each_chunk(const Dimensions& layer, const ToomCut& cut, const F& f) {
  for (int32_t phase = 0; phase < cut.phases; ++phase) {
    for (int32_t chunk = 0; chunk < cut.chunks; ++chunk) {
      const int32_t taps = chunk_taps(layer, cut, phase, chunk);
      if (taps > 0) f(phase, chunk, taps);
    }
  }
}

// Blocks of tiles x lanes.
struct ToomSchedule {
  int32_t tiles;
  int32_t lanes;
  int32_t rows;      // output channels computed together, at least
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  int32_t threads;
};

ToomSchedule schedule_toom(const Correlation& layer, const ToomCut& cut, int threads);

}  // namespace conv1d
