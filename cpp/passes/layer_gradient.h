// The gradients of one layer for one input shape: of its input, weight and bias.
#pragma once

#include <memory>

#include "errors.h"
#include "layer.h"
#include "thread_pool.h"

namespace conv1d {

class LayerGradient {
 public:
  // What is to be computed.
  struct Needs {
    bool input;
    bool weight;
    bool bias;
  };

  // All arrays are float32, row-major, and do not overlap. Null where there is no need.
  struct Arrays {
    const float* input;       // (batch, in_channels, length)
    float* sum_gradients;     // (batch, out_channels, out_length), of the sums, before the activation
    float* input_gradients;   // (batch, in_channels, length)
    float* weight_gradients;  // the weight's shape
    float* bias_gradients;    // (out_channels)
  };

  // For inputs of that geometry, on up to `threads` threads. Fails with ERR_OUT_OF_MEMORY.
  static Result<std::unique_ptr<LayerGradient>> make(std::shared_ptr<Layer> layer, const Geometry& geometry,
                                                     const Needs& needs, int threads);
  virtual ~LayerGradient() = default;

  // Overwrites the gradients that are needed. The bits do not depend on the threads. Allocates nothing.
  virtual void run(const Arrays& arrays, ThreadPool& pool) = 0;
};

}  // namespace conv1d
