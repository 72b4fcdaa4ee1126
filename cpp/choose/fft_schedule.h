// How FftConvolution cuts one input shape (methods/fft_convolution.h).
#pragma once

#include <cstdint>

#include "operator/correlation.h"

namespace conv1d {

struct FftCut {
  int32_t phases;    // rows that come of a channel
  int32_t lanes;     // D
  int32_t taps;      // the most of one phase
  int32_t size;      // N
  int32_t outputs;   // of a block
  int32_t blocks;    // of a lane
  int32_t together;  // blocks of a piece
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  double cycles;     // estimated, of one thread if there are several
};

// The cheapest cut; without a `size` (0) when the spectra of a layer's weights would have more than `most_spectra`
// floats.
FftCut cut_for_fft(const Correlation& layer, int threads, double most_spectra);

// How many floats the spectra of a layer's weights may have: 128 MB under 'auto', or what an array can hold.
double most_spectra(bool asked_for);

}  // namespace conv1d
