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

#include "methods/definition.h"
#include "methods/evenness.h"
#include "methods/fft.h"
#include "methods/method.h"
#include "options/params.h"

namespace conv1d {

// How a layer is cut for the FFT.
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

// The cheapest cut; without a `size` (0) when the layer is too large for any, or with 'auto' when the spectra of its
// weights would take more than 128 MB.
FftCut cut_for_fft(const Params& params, const Geometry& geometry, int threads);

class FftConvolution final : public Method {
 public:
  // Null when memory is short; `wanted` is then how many bytes there was no room for, or 0 when no transform is large
  // enough for the layer.
  static std::unique_ptr<FftConvolution> make(Weights& weights, const Geometry& geometry, int threads, double* wanted);

  const char* kernel() const override { return "fft_f32"; }
  int threads() const override { return threads_; }
  int32_t pieces() const override { return params_.groups * spans() * cut_.oc_parts; }
  size_t scratch_floats() const override;
  void pack(Weights& weights) override;
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

  FftConvolution(const Params& params, const Geometry& geometry, int threads)
      : params_(params),
        geometry_(geometry),
        threads_(worth_threads(params, geometry, threads)),
        cut_(cut_for_fft(params, geometry, threads_)),
        definition_(params, geometry) {}

  int32_t rows() const { return params_.group_in() * cut_.phases; }
  bool has_products() const { return rows() > 1 || params_.group_out() > 1; }  // or else each window has one filter
  int32_t lanes() const { return std::min(cut_.lanes, geometry_.out_length); }
  int32_t blocks() const { return geometry_.batch * lanes() * cut_.blocks; }
  int32_t spans() const { return (blocks() + cut_.together - 1) / cut_.together; }
  size_t packed_floats() const;
  // Scratch: sums, then panels, then what Definition needs.
  size_t panels_at() const;
  size_t panel_floats() const {
    return static_cast<size_t>(cut_.together) * static_cast<size_t>(rows()) * static_cast<size_t>(cut_.size);
  }
  void pack_spectra(const void* weights, float* spectra);
  Piece piece(int32_t index) const;
  Block block(int32_t index) const;
  void filter(const Piece& piece, const void* input, void* output, float* scratch) const;
  // Adds to the sums of a filter's block what its exceptions were left out of.
  void add_exceptions(const Exceptions& exceptions, int32_t oc, int32_t count, float* sums) const;
  // The windows of a piece as panels (spectra_f32.h): two blocks in each, one in the last if they are odd. Bit b of the
  // result says that block b is uneven.
  uint32_t transform_windows(const Piece& piece, const void* input, float* panels, float* window) const;
  void multiply(const Piece& piece, uint32_t uneven, void* output, const float* panels, float* sums) const;
  // Computes the piece's channels of a block by the definition.
  void define(const Block& block, const Piece& piece, const void* input, void* output, float* scratch) const;
  // Of row `row` of a group: the samples that the block's outputs meet, then zeros.
  void copy_row(const Block& block, int32_t group, int32_t row, const void* input, float* window) const;
  void write(const Block& block, int32_t oc, float* sums, void* output) const;

  Params params_;
  Geometry geometry_;
  int threads_;
  FftCut cut_;
  Definition definition_;
  Fft fft_;
  Buffer<float> row_;               // of taps, while they are packed
  const float* spectra_ = nullptr;  // of the taps: panels of two output channels, one in the last if they are odd
  const void* weights_ = nullptr;
  const float* bias_ = nullptr;
};

}  // namespace conv1d
