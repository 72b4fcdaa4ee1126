// The definition computed as it stands: every output is the sum of its products, in one order.
#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "buffer.h"
#include "choose/direct_schedule.h"
#include "errors.h"
#include "methods/method.h"
#include "operator/finish.h"
#include "operator/input_block.h"

namespace conv1d {

class Direct final : public Method {
 public:
  static Result<std::unique_ptr<Method>> make(const Correlation& layer, const Finish& finish, int threads);

  const char* kernel() const override { return choose_tile(schedule_.vectors, layer_.group_out()).name; }
  int threads() const override { return schedule_.threads; }
  int32_t pieces() const override { return layer_.batch * layer_.groups * pieces_of_group_; }
  size_t scratch_floats() const override { return scratch_floats_; }
  void pack(const Weights& weights) override;
  void run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const override;

 private:
  // Outputs [begin, end) in pieces of `step`; direct ones are read from the caller's rows, the others packed first.
  struct Range {
    int32_t begin;
    int32_t end;
    int32_t step;
    bool direct;
    int32_t pieces() const { return (end - begin + step - 1) / step; }
    int32_t longest() const { return std::min(step, end - begin); }
  };

  // One piece of work: some outputs of some output channels of one group of one image.
  struct Piece {
    int32_t image;
    int32_t group;
    int32_t oc_part;
    int32_t begin;
    int32_t count;
    bool direct;
  };

  Direct(const Correlation& layer, const Finish& finish, int threads)
      : layer_(layer), finish_(finish), schedule_(schedule_direct(layer, threads)) {}

  void cut_ranges();
  [[nodiscard]] bool lay_out();
  // Pieces in order: images, groups, time, then parts of the output channels.
  Piece piece(int32_t index) const;
  void advance(Piece* piece) const;
  // Sets what follows from piece->begin: how long the piece is and how it is read.
  void measure(Piece* piece) const;
  void run_piece(const Piece& piece, const void* input, void* output, float* scratch) const;

  Correlation layer_;
  Finish finish_;
  DirectSchedule schedule_;
  std::array<Range, 3> ranges_{};
  int32_t pieces_of_group_ = 0;  // of one image
  InputBlock block_;
  Buffer<int32_t> direct_offsets_;  // where each channel's taps read in the caller's rows, from an output's position on
  // One thread's scratch: a block, then rows of sums that do not lie as outputs do.
  size_t block_floats_ = 0;
  size_t scratch_floats_ = 0;
  const float* panels_ = nullptr;
  const float* bias_ = nullptr;
};

}  // namespace conv1d
