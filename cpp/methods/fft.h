// Spectra of real blocks whose products are convolutions.
//
// A block of N = 2M samples is a polynomial x(z) with real coefficients. Its values at the N roots of z^N = -1 come in
// conjugate pairs, so those at the M roots of z^M = i tell it: there x(z) = lower half + i * upper half, a polynomial
// of M complex coefficients that lie in memory as they are, real parts first. Multiplying values multiplies polynomials
// modulo z^N + 1: a convolution of which what runs out at the end comes back at the beginning, negated (Nussbaumer,
// Fast Fourier Transform and Convolution Algorithms, 1982, "right-angle" convolution). Nothing is to be packed or split
// as in an FFT of real samples on half as many complex ones, and no order of the values is better than another.
//
// z^m = c factors into z^(m/2) = w and z^(m/2) = -w, w * w = c. The transform splits so from z^M = i down to m = 1 and
// leaves the values in the order in which they come up, four neighbours of them transposed; the inverse goes back. All
// of a factor has one w, which makes the upper levels loops without twiddle tables, and leaves factors that fit in a
// cache to themselves.
#pragma once

#include <cstdint>

#include "buffer.h"

namespace conv1d {

// Floats that the spectra of a layer's weights may have where nobody asked for them: 128 MB.
inline constexpr double kMostAutoSpectra = 33554432;

class Fft {
 public:
  static constexpr int32_t kLeastSize = 32;
  static constexpr int32_t kMostSize = 1 << 28;

  // Makes ready for blocks of `size` samples, a power of two from kLeastSize to kMostSize. False when memory is short.
  [[nodiscard]] bool prepare(int32_t size);
  int32_t size() const { return size_; }

  // Replaces `size` samples by their spectrum: size / 2 real parts, then size / 2 imaginary ones. Nothing needs
  // alignment. NaN and Inf reach all values, though not in all as the same.
  void forward(float* block) const;
  // Back again, size / 2 times as large.
  void inverse(float* block) const;

 private:
  // Splits `blocks` factors into four each. Their twiddles lie in fours: w of four factors, then its square root.
  struct Level {
    const float* twiddles;
    int32_t blocks;
  };

  static constexpr int kMostLevels = 14;

  template <bool kForward>
  void run(float* block) const;
  // Factor `first` of a level, of `length` numbers from `re` on, and all that comes of it.
  template <bool kForward>
  void run_factor(int level, int32_t first, int32_t length, float* re) const;

  int32_t size_ = 0;
  int levels_ = 0;
  Level level_[kMostLevels] = {};
  Buffer<float> twiddles_;
};

}  // namespace conv1d
