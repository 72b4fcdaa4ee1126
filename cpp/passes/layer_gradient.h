// The gradients of one layer for one input shape: of its input, weight and bias.
#pragma once

#include <memory>
#include <optional>

#include "array.h"
#include "buffer.h"
#include "errors.h"
#include "layer.h"
#include "methods/make_method.h"
#include "methods/weight_gradient.h"
#include "thread_pool.h"

namespace conv1d {

class LayerGradient {
 public:
  // What may be computed.
  struct Needs {
    bool input;
    bool weight;
    bool bias;
  };

  // All arrays are float32, row-major, and do not overlap. A gradient that is null is left out of one run.
  struct Arrays {
    const float* input;          // (batch, in_channels, length)
    const float* sum_gradients;  // (batch, out_channels, out_length), of the sums, before the activation
    float* input_gradients;      // (batch, in_channels, length)
    float* weight_gradients;     // the weight's shape
    float* bias_gradients;       // (out_channels)
  };

  // For inputs of that geometry, on up to `threads` threads. Fails with ERR_OUT_OF_MEMORY.
  static Result<std::unique_ptr<LayerGradient>> make(std::shared_ptr<Layer> layer, const Geometry& geometry,
                                                     const Needs& needs, int threads);

  // Overwrites the gradients that there is an array for. The bits do not depend on the threads. Allocates nothing.
  void run(const Arrays& arrays, ThreadPool& pool);

 private:
  // A convolution of the sums' gradients that gives some of the input's: of a layer one for each phase of its stride or
  // one for all of them, of a transposed layer the one that it is the transpose of.
  struct Part {
    std::optional<TransposedPhase> phase;
    PackedForms forms;
    ChosenMethod chosen;
    int32_t begin() const { return phase ? phase->begin : 0; }
  };

  LayerGradient(std::shared_ptr<Layer> layer, const Geometry& geometry, int threads);

  std::optional<Error> prepare(const Needs& needs);
  std::optional<Error> choose_methods();
  std::optional<Error> choose_method(const Correlation& correlation, Part* part);
  std::optional<Error> join_phases();
  void join_weights();
  WeightView weights_of(const Part& part);
  void run_input(const Arrays& arrays, ThreadPool& pool);
  void run_weight(const Arrays& arrays, ThreadPool& pool);
  void run_bias(const Arrays& arrays, ThreadPool& pool) const;
  // One channel of an image, from its row or its phases' rows in rows_.
  void complete_row(const float* rows, float* padded, float* input_gradients) const;

  // Whether gradients of padding are to be folded back.
  bool folds() const { return forward_.padding_mode != PaddingMode::kZeros && forward_.outside() > 0; }
  // Positions that methods compute.
  int64_t begin() const { return folds() ? -forward_.before() : 0; }
  int64_t end() const { return forward_.length + (folds() ? forward_.after() : 0); }
  size_t input_rows() const {
    return static_cast<size_t>(forward_.batch) * static_cast<size_t>(layer_->params().in_channels);
  }

  std::shared_ptr<Layer> layer_;
  Correlation forward_;  // that the layer is, or is the transpose of
  int threads_;
  Array<Part> parts_;
  // Of all phases in one, whose outputs are a row for each phase of each channel; else its kernel_size is 0.
  Correlation joined_{};
  Buffer<float> joined_weights_;
  int64_t joined_begin_ = 0;  // position of the first output of phase 0
  std::unique_ptr<WeightGradient> weight_;
  uint32_t version_ = 0;  // of the layer's weight that is packed
  size_t row_ = 0;        // floats of a channel's rows
  Buffer<float> rows_;    // unless they are the caller's
  Buffer<float> sums_;
  Buffer<float> no_bias_;
  Buffer<float> scratch_;
};

}  // namespace conv1d
