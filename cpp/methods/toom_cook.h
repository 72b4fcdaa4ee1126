// Toom-Cook: four neighbouring outputs at a time, with fewer products than the definition has.
//
// A stride s and a dilation d make of each input channel phases, rows in which a layer with stride 1 finds its taps D =
// d / gcd(s, d) apart; D interleaved lanes have their taps side by side. Tile i of lane q has the outputs D (4 i + a)
// + q, a from 0 to 3, and taps go in chunks of four, as long as a tile, so that every chunk meets the same transformed
// tiles, j further on:
//
//     M_p[o, i] = sum over c, chunk j: U_p[o, c, j] V_p[c, i + j]
//
// For each of the points p that is a convolution itself, over tiles, which the direct kernels compute. A single tap
// that is left over costs less as it stands, on rows of every fourth sample.
//
//     input -> phases -> split: rows of every 4th sample -> V at each point -> kernels -> M -> outputs -> merge
//
// A block is I tiles of Q of the D lanes: column l = i * Q + q of every row, and chunk j lies j * Q columns on.
//
// An output's error is relative to the largest samples of its tile, not to its own. So tiles in which some stand out,
// NaN and infinities among them, are computed by the definition (evenness.h, definition.h): which ones depends on their
// samples alone, not on how they are cut into blocks.
#pragma once

#include <memory>

#include "buffer.h"
#include "choose/tiles.h"
#include "choose/toom_schedule.h"
#include "errors.h"
#include "integers.h"
#include "kernels/toom_cook_f32.h"
#include "methods/definition.h"
#include "methods/method.h"

namespace conv1d {

class ToomCook final : public Method {
 public:
  static Result<std::unique_ptr<Method>> make(const Correlation& layer, const Finish& finish, PackedForms* forms,
                                              int threads);

  const char* kernel() const override { return form_.name; }
  int threads() const override { return schedule_.threads; }
  int32_t pieces() const override { return layer_.batch * layer_.groups * blocks() * schedule_.oc_parts; }
  size_t scratch_floats() const override { return at_.end; }
  void pack(const Weights& weights) override;
  void run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const override;

 private:
  // One piece of work: tiles [tile, tile + tiles) of lanes [lane, lane + lanes), for some output channels.
  struct Block {
    int32_t image;
    int32_t group;
    int32_t oc_part;
    int32_t tile;
    int32_t tiles;
    int32_t lane;
    int32_t lanes;
    int32_t columns() const { return tiles * lanes; }
  };

  // Output channels of a group that are computed together.
  struct Rows {
    int32_t first;
    int32_t count;
  };

  // One thread's scratch, in floats from its start.
  struct Layout {
    size_t offsets;         // of the chunks, then of the single taps
    size_t magnitudes;      // of every fourth sample, all channels and phases together
    size_t uneven;          // a byte for each column
    size_t line;            // input samples that meet a block's outputs, of one phase
    size_t rows;            // every fourth of them: those of one phase, then those of all that have a single tap
    size_t input_points;    // V
    size_t product_points;  // M
    size_t outputs;
    size_t merged;  // outputs of a row that are not written where they belong
    size_t end;
  };

  ToomCook(const Correlation& layer, const Finish& finish, int threads);

  int32_t tile_blocks() const { return ceil_div(tiles_, schedule_.tiles); }
  int32_t lanes() const { return std::min(cut_.dilation, layer_.out_length); }
  int32_t blocks() const { return tile_blocks() * ceil_div(lanes(), schedule_.lanes); }
  bool lay_out();
  // Whether a block has all of the lanes, so that its samples follow each other.
  bool is_whole() const { return schedule_.lanes == cut_.dilation; }
  int64_t group_floats() const {
    return int64_t{layer_.group_out()} * (int64_t{form_.points} * cut_.depth + cut_.single_depth);
  }
  // Floats from V at one point to V at the next.
  size_t point_floats() const { return static_cast<size_t>(layer_.group_in()) * cut_.point_phases * point_pitch_; }
  void pack_panels(const WeightView& weights, float* panels) const;

  Block block(int32_t index) const;
  void run_block(const Block& block, const void* input, void* output, float* scratch) const;
  // Fills V, the rows that single taps meet, and the offsets of both. Whether it marked tiles as uneven.
  bool transform_input(const Block& block, const uint8_t* input, float* scratch) const;
  // Every fourth sample of one phase of the channel at `row`, in four rows.
  void split(const Block& block, const uint8_t* row, int32_t phase, float* scratch, float* rows) const;
  // Marks the tiles of which an output would suffer from what only others see, by magnitudes summed over `rows` rows.
  // Whether there are any.
  bool mark_uneven(const Block& block, int32_t rows, float* scratch) const;
  bool is_uneven(const Block& block, int32_t column, float allowed, const float* magnitudes) const;
  // Where sample `sample` of the tile in column 0 is.
  size_t sample_at(const Block& block, int32_t sample) const {
    return static_cast<size_t>(sample % kToomOutputs) * row_pitch_ +
           static_cast<size_t>(sample / kToomOutputs) * static_cast<size_t>(block.lanes);
  }
  void multiply(const Block& block, const Rows& rows, float* scratch) const;
  void write(const Block& block, const Rows& rows, void* output, float* scratch) const;
  // Computes the marked tiles of these channels by the definition, with the scratch that comes after the marks.
  void define_uneven(const Block& block, const Rows& rows, const void* input, void* output, float* scratch) const;

  Correlation layer_;
  Finish finish_;
  ToomCut cut_;
  const ToomForm& form_;
  ToomSchedule schedule_;
  int32_t tiles_ = 0;         // of one lane's outputs
  int32_t reach_chunks_ = 0;  // how many tiles of V beyond its own an output meets
  int32_t reach_tiles_ = 0;   // and how many tiles of samples
  int32_t least_taps_ = 0;    // samples in turn that an output sees of each channel, all phases together
  // Samples in turn that count together by the largest of them: in long windows of noise single ones are near 0, and an
  // output sees whole cells, so many that few samples that stand out do not hide in all.
  int32_t cell_ = 1;
  int32_t tile_samples_ = 0;  // that a tile's products come of
  Definition definition_;
  Buffer<float> zeros_;      // a bias for the products
  size_t row_pitch_ = 0;     // of rows of every fourth sample
  size_t point_pitch_ = 0;   // of V
  size_t column_pitch_ = 0;  // of M and the outputs
  Layout at_{};
  const float* panels_ = nullptr;
  const float* bias_ = nullptr;
};

}  // namespace conv1d
