// One layer made ready: create -> weights there; prepare(shape) -> a method chosen, scratch sized; run -> output.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "buffer.h"
#include "methods/method.h"
#include "options/params.h"
#include "thread_pool.h"
#include "weights.h"

namespace conv1d {

// What prepare() settled on.
struct Explanation {
  const char* algorithm;
  std::string reason;    // why this one
  const char* kernel;    // of most output channels
  double flops;          // 2 * batch * out_channels * out_length * group_in * kernel_size
  double bytes;          // input, weight, bias and output, each once
  double scratch_bytes;  // beyond those and the packed weights, all threads
  int threads;
};

class Plan {
 public:
  explicit Plan(const Params& params) : weights_(params) {}

  // Makes room for the weights, all zero. False when memory is short; the plan is of no use then.
  [[nodiscard]] bool allocate() { return weights_.allocate(); }

  const Params& params() const { return weights_.params(); }
  Weights& weights() { return weights_; }

  // Chooses how to run inputs (batch, in_channels, length) on up to `threads` threads. On failure (ERR_SHAPE,
  // ERR_OUT_OF_MEMORY) what was prepared before stays prepared.
  std::optional<Error> prepare(double batch, double length, int threads);

  // Valid after prepare().
  const Geometry& geometry() const { return geometry_; }
  Explanation explain() const;

  // Computes `output` (batch, out_channels, out_length) from `input` (batch, in_channels, length), both params().dtype
  // and row-major, without allocating. The two do not overlap. Needs a prepare() that succeeded.
  void run(const void* input, void* output, ThreadPool& pool) { run_pieces(input, output, pool, 0, pieces()); }

  // The pieces that the output is cut into, after prepare(), and run() for [begin, end) of them: a run that pauses.
  int32_t pieces() const { return method_->pieces(); }
  void run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end);

 private:
  std::optional<Error> prepare_method(const AlgorithmChoice& choice, const Geometry& geometry, int threads);
  // Null when memory is short; `wanted` is then how many bytes there was no room for.
  std::unique_ptr<Method> make_method(Algorithm algorithm, const Geometry& geometry, int threads, double* wanted);

  Weights weights_;
  Geometry geometry_{};
  AlgorithmChoice choice_{};
  std::unique_ptr<Method> method_;
  Buffer<float> scratch_;
};

}  // namespace conv1d
