// Fewer products by FFT: overlap-save (Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed. 2010, 8.7.3).
//
// A stride s and a dilation d make of each input channel phases, rows in which a layer with stride 1 finds its taps D =
// d / gcd(s, d) apart; D interleaved lanes have their taps side by side. Of such a row
//
//     a window of N samples -> its spectrum (fft.h) -> times that of the taps, summed over rows -> back
//
// gives N - taps + 1 outputs: the last taps - 1 results of a block are useless, for there the window came back at its
// beginning. A window's spectrum serves all output channels, and the spectra of the taps several blocks.
//
// An output's error depends on its whole block: it is at most (2^-21 * log2(N) + 2^-24 * C) * (sum over C input
// channels of |w| |x| + |b|) with the Euclidean norms of the channel's taps and of the samples of its window. So of a
// block with samples that stand out, NaN and infinities among them, a single filter's outputs are computed without
// those, whose products are added by the definition; others are computed by the definition altogether (evenness.h,
// definition.h).
#pragma once

#include <memory>

#include "choose/fft_schedule.h"
#include "errors.h"
#include "integers.h"
#include "methods/definition.h"
#include "methods/evenness.h"
#include "methods/fft.h"
#include "methods/method.h"

namespace conv1d {

class FftConvolution final : public Method {
 public:
  static Result<std::unique_ptr<Method>> make(const Correlation& layer, const Finish& finish, PackedForms* forms,
                                              int threads, double most_spectra);

  const char* kernel() const override { return "fft_f32"; }
  int threads() const override { return threads_; }
  int32_t pieces() const override { return layer_.groups * spans() * cut_.oc_parts; }
  size_t scratch_floats() const override;
  void pack(const Weights& weights) override;
  void run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const override;

 private:
  // One piece of work: some blocks of some output channels of one group.
  struct Piece {
    int32_t group;
    int32_t first;  // of all blocks: images, lanes, time
    int32_t blocks;
    int32_t oc_begin;
    int32_t oc_end;
  };

  // Outputs begin, begin + D, ... of an image.
  struct Block {
    int32_t image;
    int32_t begin;
    int32_t count;
  };

  FftConvolution(const Correlation& layer, const Finish& finish, int threads, double most_spectra);

  int32_t rows() const { return layer_.group_in() * cut_.phases; }
  bool has_products() const { return rows() > 1 || layer_.group_out() > 1; }  // or else each window has one filter
  int32_t lanes() const { return std::min(cut_.lanes, layer_.out_length); }
  int32_t blocks() const { return layer_.batch * lanes() * cut_.blocks; }
  int32_t spans() const { return ceil_div(blocks(), cut_.together); }
  size_t packed_floats() const;
  // Scratch: sums, then panels, then what Definition needs.
  size_t panels_at() const;
  size_t panel_floats() const {
    return static_cast<size_t>(cut_.together) * static_cast<size_t>(rows()) * static_cast<size_t>(cut_.size);
  }
  void pack_spectra(const WeightView& weights, float* spectra);
  Piece piece(int32_t index) const;
  Block block(int32_t index) const;
  void filter(const Piece& piece, const void* input, void* output, float* scratch) const;
  // Adds to the sums of a filter's block what its exceptions were left out of.
  void add_exceptions(const Exceptions& exceptions, int32_t group, int32_t count, float* sums) const;
  // The windows of a piece as panels (spectra_f32.h): two blocks in each, one in the last if they are odd. Bit b of the
  // result says that block b is uneven.
  uint32_t transform_windows(const Piece& piece, const void* input, float* panels, float* window) const;
  void multiply(const Piece& piece, uint32_t uneven, void* output, const float* panels, float* sums) const;
  // Computes the piece's channels of a block by the definition.
  void define(const Block& block, const Piece& piece, const void* input, void* output, float* scratch) const;
  // Of row `row` of a group: the samples that the block's outputs meet, then zeros.
  void copy_row(const Block& block, int32_t group, int32_t row, const void* input, float* window) const;
  void write(const Block& block, int32_t oc, float* sums, void* output) const;

  Correlation layer_;
  Finish finish_;
  int threads_;
  FftCut cut_;
  Definition definition_;
  Fft fft_;
  Buffer<float> row_;               // of taps, while they are packed
  const float* spectra_ = nullptr;  // of the taps: panels of two output channels, one in the last if they are odd
  WeightView weights_{};
  const float* bias_ = nullptr;
};

}  // namespace conv1d
