// Long kernels by FFT: overlap-save (Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed. 2010, 8.7.3).
//
// A stride s and a dilation d make of each input channel phases, rows in which a layer with stride 1 finds its taps D =
// d / gcd(s, d) apart; D interleaved layers have their taps side by side. Of such a row
//
//     a window of N samples -> its spectrum (fft.h) -> times that of the taps, summed over rows -> back
//
// gives N - taps + 1 outputs: the last taps - 1 results of a block are useless, for there the window came back at its
// beginning. A window's spectrum serves all output channels.
//
// An output's error hangs on its whole block: it is at most 2^-21 * log2(N) * (sum over input channels of |w| |x| +
// |b|) with the Euclidean norms of the channel's taps and of the samples of its window. A NaN or an infinity makes all
// outputs of the blocks whose window it is in NaN or infinite.
#pragma once

#include <memory>

#include "fft.h"
#include "method.h"
#include "params.h"

namespace conv1d {

// How a layer is cut for the FFT.
struct FftCut {
  int32_t phases;    // rows that come of a channel
  int32_t layers;    // D
  int32_t taps;      // the most of one phase
  int32_t size;      // N
  int32_t outputs;   // of a block
  int32_t blocks;    // of a layer
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  double cycles;     // estimated, of one thread if there are several
};

// The cheapest cut; without a `size` (0) when the layer is too large for any, or with 'auto' when the spectra of its
// weights would take more than 128 MB.
FftCut cut_for_fft(const Params& params, const Geometry& geometry, int threads);

class FftConvolution final : public Method {
 public:
  // Null when memory is short; `wanted` is then how many bytes there was no room for.
  static std::unique_ptr<FftConvolution> make(Weights& weights, const Geometry& geometry, int threads, double* wanted);

  const char* kernel() const override { return "fft_f32"; }
  int threads() const override { return threads_; }
  int32_t pieces() const override {
    return geometry_.batch * params_.groups * std::min(cut_.layers, geometry_.out_length) * cut_.blocks * cut_.oc_parts;
  }
  size_t scratch_floats() const override;
  void pack(Weights& weights) override;
  void run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const override;

 private:
  // One piece of work: outputs begin, begin + D, ... of some output channels of one group of one image.
  struct Piece {
    int32_t image;
    int32_t group;
    int32_t begin;
    int32_t count;
    int32_t oc_begin;
    int32_t oc_end;
  };

  FftConvolution(const Params& params, const Geometry& geometry, int threads)
      : params_(params), geometry_(geometry), cut_(cut_for_fft(params, geometry, threads)), threads_(threads) {}

  int32_t rows() const { return params_.group_in() * cut_.phases; }
  size_t packed_floats() const;
  void pack_spectra(const void* weights, float* spectra) const;
  Piece piece(int32_t index) const;
  // Row `row` of the piece's group: the samples that its outputs meet, then zeros.
  void copy_row(const Piece& piece, int32_t row, const uint8_t* input, float* window) const;
  void write(const Piece& piece, int32_t oc, float* sums, void* output) const;

  Params params_;
  Geometry geometry_;
  FftCut cut_;
  int threads_;
  Fft fft_;
  const float* spectra_ = nullptr;  // (groups, group_out, rows, size)
  const float* bias_ = nullptr;
};

}  // namespace conv1d
