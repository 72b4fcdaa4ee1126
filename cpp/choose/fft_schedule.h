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

// The cheapest size for the gradient of a layer's weights, of so many input channels at once (methods/
// fft_weight_gradient.h), or 0 where it is not for that layer or, unless `asked_for`, the definition is no slower.
int32_t fft_size_of_gradient(const Correlation& layer, int32_t channels, bool asked_for);

// How many floats the spectra of a layer's weights may have: 128 MB under 'auto', or what an array can hold.
double most_spectra(bool asked_for);

}  // namespace conv1d
