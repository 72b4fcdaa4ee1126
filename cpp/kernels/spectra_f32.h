// Products of spectra (fft.h), summed: what a convolution with several channels is at each frequency.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

// x *= h, of spectra of `size` numbers.
void multiply_spectrum(float* x, const float* h, int32_t size);

// sum += x[0] * h[0] + ... + x[rows - 1] * h[rows - 1], of spectra of `size` numbers, in this order. Those of x lie
// `x_pitch` floats apart, those of h `h_pitch`. Nothing needs alignment.
void add_products(const float* x, size_t x_pitch, const float* h, size_t h_pitch, int32_t rows, float* sum,
                  int32_t size);

// The same for one or two filters and any number of signals at once, from panels. For every four frequencies in turn
// panel h has the values of row 0 of its filters, then those of row 1 and so on, two filters here:
//
//     frequencies 0 to 3                                                 frequencies 4 to 7
//     row 0                                       row 1           ...    row 0
//     [re0 re1 re2 re3  im0 ..]  [re0 .. im0 ..]  [re0 ..] [re0 ..]      [re4 re5 re6 re7  im4 ..]  [re4 .. im4 ..]
//     of filter 0                of filter 1
//
// Panel x has so, for every four frequencies, the first two signals, then the next two, at last one if they are odd.
// Sums are whole spectra again: of filter o and signal b at sums[o * output_pitch + b * block_pitch].
struct SpectraTile {
  const float* h;
  const float* x;
  int32_t outputs;  // filters
  int32_t blocks;   // signals
  int32_t rows;
  float* sums;
  size_t output_pitch;
  size_t block_pitch;
  int32_t size;
};
void multiply_panels(const SpectraTile& tile);

// Writes one spectrum where a panel has it, `step` floats from four frequencies to the next.
void write_panel(const float* spectrum, int32_t size, float* panel, size_t step);

}  // namespace conv1d
