// One layer made ready: create -> weights packed; prepare(shape) -> a kernel chosen, scratch sized; run -> output.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "buffer.h"
#include "kernel_table.h"
#include "params.h"
#include "thread_pool.h"

namespace conv1d {

// What prepare() settled on.
struct Explanation {
  const char* algorithm;
  const char* kernel;    // of most output channels
  double flops;          // 2 * batch * out_channels * out_length * group_in * kernel_size
  double bytes;          // input, weight, bias and output, each once
  double scratch_bytes;  // beyond those and the packed weights, all threads
  int threads;
};

class Plan {
 public:
  explicit Plan(const Params& params) : params_(params) {}

  // Makes room for the weights, all zero. False when memory is short; the plan is of no use then.
  [[nodiscard]] bool allocate();

  const Params& params() const { return params_; }

  // The layer's own weight (groups, group_out, group_in, kernel_size) and bias (out_channels), params().dtype.
  // Whoever writes there calls weights_changed() afterwards; packing happens at the next run.
  void* weight() { return weight_.data(); }
  void* bias() { return params_.bias ? bias_.data() : nullptr; }
  void weights_changed();

  // The weights as panels (pack.h) for tiles of `vectors`, and the bias as floats; panels() brings both up to date. It
  // packs anew when `vectors` are others than the last time, unless keep_both_panels() found room for both.
  [[nodiscard]] bool keep_both_panels();
  const float* panels(Vectors vectors);
  const float* wide_bias() const { return wide_bias_.data(); }

  // Chooses how to run inputs (batch, in_channels, length) on up to `threads` threads. On failure (ERR_SHAPE,
  // ERR_OUT_OF_MEMORY) what was prepared before stays prepared.
  std::optional<Error> prepare(double batch, double length, int threads);

  // Valid after prepare().
  const Geometry& geometry() const { return prepared_.geometry; }
  Explanation explain() const;

  // Computes `output` (batch, out_channels, out_length) from `input` (batch, in_channels, length), both params().dtype
  // and row-major, without allocating. The two do not overlap. Needs a prepare() that succeeded.
  void run(const void* input, void* output, ThreadPool& pool) { run_pieces(input, output, pool, 0, pieces()); }

  // The pieces that the output is cut into, after prepare(), and run() for [begin, end) of them: a run that pauses.
  int32_t pieces() const { return prepared_.geometry.batch * params_.groups * prepared_.pieces_of_image; }
  void run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end);

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

  // All that follows from one input shape.
  //
  // A packed block holds `rows` rows a channel, `pitch` floats apart. Row i has every stride-th input from position
  // row_start[i] of the block on: a span has a row for each phase of the stride that some tap meets; tap windows have
  // a row for each tap.
  struct Prepared {
    Geometry geometry{};
    Schedule schedule{};
    std::array<Range, 3> ranges{};
    int32_t pieces_of_image = 0;  // of one group of one image
    int32_t rows = 0;
    int32_t pitch = 0;
    Buffer<int32_t> row_start;
    // Where each channel's taps read, from an output's position on: in a packed block, in the caller's rows.
    Buffer<int32_t> block_offsets;
    Buffer<int32_t> direct_offsets;
    // One thread's scratch: a block, then the input line a channel's rows are picked from, then float32 output rows.
    size_t block_floats = 0;
    size_t line_floats = 0;
    size_t scratch_floats = 0;
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

  void cut_ranges(Prepared* prepared) const;
  // Consecutive input samples that `outputs` outputs meet: with all taps, or with one.
  int64_t line_length(bool windows, int32_t outputs) const;
  bool lay_out_block(Prepared* prepared) const;
  // Pieces in order: images, groups, time, then parts of the output channels.
  Piece piece(int32_t index) const;
  void advance(Piece* piece) const;
  // Sets what follows from piece->begin: how long the piece is and how it is read.
  void measure(Piece* piece) const;
  void run_piece(const Piece& piece, const float* panels, const void* input, void* output, float* scratch) const;
  void pack_block(const Piece& piece, const uint8_t* input, float* block, float* line) const;

  Params params_;
  Buffer<uint8_t> weight_;
  Buffer<uint8_t> bias_;
  struct Panels {
    Buffer<float> floats;
    std::optional<Vectors> packed;  // how, if at all
  };
  std::array<Panels, 2> panels_;  // the second, if there is one, for kAlongChannels alone
  Buffer<float> wide_bias_;
  Prepared prepared_;
  Buffer<float> scratch_;
};

}  // namespace conv1d
