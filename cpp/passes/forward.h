// A layer made ready for an input's shape: prepare(shape) -> a method chosen, scratch sized; run -> output.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "buffer.h"
#include "choose/algorithm.h"
#include "layer.h"
#include "methods/method.h"
#include "thread_pool.h"

namespace conv1d {

// What prepare() settled on.
struct Explanation {
  const char* algorithm;
  std::string reason;    // why this one
  const char* kernel;    // that computes most output channels
  double flops;          // 2 * batch * out_channels * out_length * group_in * kernel_size
  double bytes;          // input, weight, bias and output, each once
  double scratch_bytes;  // beyond those and the packed weights, all threads
  int threads;
};

class Forward {
 public:
  explicit Forward(std::shared_ptr<Layer> layer) : layer_(std::move(layer)) {}

  Layer& layer() { return *layer_; }
  const Params& params() const { return layer_->params(); }

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

  std::shared_ptr<Layer> layer_;
  Geometry geometry_{};
  AlgorithmChoice choice_{};
  std::unique_ptr<Method> method_;
  Buffer<float> scratch_;
};

}  // namespace conv1d
