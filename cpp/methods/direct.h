// The definition computed as it stands: every output is the sum of its products, in one order.
#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "buffer.h"
#include "choose/kernel_table.h"
#include "methods/method.h"
#include "options/params.h"

namespace conv1d {

class Direct final : public Method {
 public:
  // Null when memory is short; `wanted` is then how many bytes there was no room for.
  static std::unique_ptr<Direct> make(const Params& params, const Geometry& geometry, int threads, double* wanted);

  const char* kernel() const override { return choose_tile(schedule_.vectors, params_.group_out()).name; }
  int threads() const override { return schedule_.threads; }
  int32_t pieces() const override { return geometry_.batch * params_.groups * pieces_of_image_; }
  size_t scratch_floats() const override { return scratch_floats_; }
  void pack(Weights& weights) override;
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

  Direct(const Params& params, const Geometry& geometry, int threads)
      : params_(params), geometry_(geometry), schedule_(choose_schedule(params, geometry, threads)) {}

  void cut_ranges();
  bool lay_out_block();
  // Pieces in order: images, groups, time, then parts of the output channels.
  Piece piece(int32_t index) const;
  void advance(Piece* piece) const;
  // Sets what follows from piece->begin: how long the piece is and how it is read.
  void measure(Piece* piece) const;
  void run_piece(const Piece& piece, const void* input, void* output, float* scratch) const;
  void pack_block(const Piece& piece, const uint8_t* input, float* block) const;

  Params params_;
  Geometry geometry_;
  Schedule schedule_;
  std::array<Range, 3> ranges_{};
  int32_t pieces_of_image_ = 0;  // of one group of one image
  // A packed block holds `rows` rows a channel, `pitch` floats apart. Row i has every stride-th input from position
  // row_start[i] of the block on: a span has a row for each phase of the stride that some tap meets; tap windows have
  // a row for each tap.
  int32_t rows_ = 0;
  int32_t pitch_ = 0;
  Buffer<int32_t> row_start_;
  // Where each channel's taps read, from an output's position on: in a packed block, in the caller's rows.
  Buffer<int32_t> block_offsets_;
  Buffer<int32_t> direct_offsets_;
  // One thread's scratch: a block, then float32 output rows.
  size_t block_floats_ = 0;
  size_t scratch_floats_ = 0;
  const float* panels_ = nullptr;
  const float* bias_ = nullptr;
};

}  // namespace conv1d
