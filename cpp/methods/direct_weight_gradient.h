// The gradient of weights by its definition.
#pragma once

#include <algorithm>

#include "buffer.h"
#include "choose/weight_gradient_schedule.h"
#include "integers.h"
#include "methods/weight_gradient.h"
#include "operator/input_block.h"
#include "operator/planes.h"

namespace conv1d {

// Products of the output's gradients with the input, as they stand. The loops, outermost first:
//
//     chunks of all blocks of time, groups, parts of their input channels     pieces
//     blocks of time, of one image or of several short ones                   run_piece()
//     tiles of output channels                                                add()
//     input channels and taps, time                                           the kernel
class DirectWeightGradient final : public WeightGradient {
 public:
  DirectWeightGradient(const Correlation& layer, const WeightGradientSchedule& schedule)
      : layer_(layer), schedule_(schedule) {
    if (schedule_.direct) {
      inner_begin_ = static_cast<int32_t>(std::min<int64_t>(layer.before(), layer.out_length));
      inner_end_ = static_cast<int32_t>(std::max<int64_t>(inner_begin_, layer.out_length - layer.after()));
    }
    parts_ = layer.in_channels / schedule_.channels;
  }

  [[nodiscard]] bool lay_out();

  int threads() const override { return schedule_.threads; }
  int32_t pieces() const override { return parts_ * schedule_.chunks; }
  size_t scratch_floats() const override {
    return round_up<size_t>(static_cast<size_t>(block_.floats()), 16) +
           round_up<size_t>(static_cast<size_t>(layer_.group_out()) * row_pitch(), 16);
  }
  size_t sum_floats() const override { return round_up<size_t>((schedule_.chunks - 1) * weights(), 16); }
  void run(int32_t begin, int32_t end, const Arrays& arrays, float* scratch) const override;
  void finish(const Arrays& arrays) const override;

 private:
  // Outputs [begin, end) of some images, and the input channels that one piece reads for them.
  struct Block {
    int32_t image;
    int32_t images;
    int32_t begin;
    int32_t end;
    int32_t part;
  };

  // Floats from a row of the output's gradients to the next where those of several images are gathered, else 0.
  size_t row_pitch() const {
    return schedule_.images == 1 ? 0 : static_cast<size_t>(pitch_of(int64_t{schedule_.images} * layer_.out_length));
  }
  size_t weights() const { return static_cast<size_t>(layer_.weight_size()); }
  int32_t rows_of_blocks() const { return ceil_div(layer_.batch, schedule_.images); }
  int32_t blocks_of_row() const { return ceil_div(layer_.out_length, schedule_.block); }
  // By the caller's rows, a packed block, or both.
  void run_block(const Block& block, const Arrays& arrays, float* gw, float* scratch) const;
  void run_packed(const Block& block, const Arrays& arrays, float* gw, float* scratch) const;
  void run_gathered(const Block& block, const Arrays& arrays, float* gw, float* scratch) const;
  // The outputs of `rows` rows of an image, in a place of their own.
  void gather(const float* source, int32_t rows, size_t pitch, float* gathered) const;
  // The first of a block's samples, of a layer with stride 1, and of its outputs' gradients.
  const float* columns_of(const Block& block, const float* x) const;
  const float* rows_of(const Block& block, const float* gy) const;
  void add(Dots dots, float* gw) const;

  Correlation layer_;
  WeightGradientSchedule schedule_;
  int32_t parts_ = 0;
  // Outputs that are read directly.
  int32_t inner_begin_ = 0;
  int32_t inner_end_ = 0;
  InputBlock block_;
  Buffer<int32_t> direct_offsets_;
};

}  // namespace conv1d
