// A graph's run that keeps what its gradient needs, and the run backward.
#pragma once

#include <memory>
#include <vector>

#include "array.h"
#include "buffer.h"
#include "errors.h"
#include "passes/forward.h"
#include "passes/layer_gradient.h"

namespace conv1d {

class Recording {
 public:
  // What run_backward() computes.
  struct Needs {
    bool input;
    bool parameters;
  };

  // How run() computes operations that do in training what they do not do afterwards.
  struct Mode {
    bool training;
    uint64_t seed;  // of what is random
  };

  // Of a float32 graph, for inputs (batch, in_channels, length), on up to `threads` threads. With `low_memory`, values
  // are kept at the borders of segments alone, and made again for the run backward. Fails as Forward::prepare(), and
  // with ERR_UNSUPPORTED for float16.
  static Result<std::unique_ptr<Recording>> make(const Graph& graph, double batch, double length, int threads,
                                                 bool low_memory);

  int32_t out_channels() const { return forward_.out_channels(); }
  int32_t out_length() const { return forward_.out_length(); }
  // Bytes of the signals and gradients that make() takes memory for, beside what kernels work in. Fails as make().
  static Result<double> bytes_for(const Graph& graph, double batch, double length, bool low_memory);

  // Row-major float32 arrays: of the caller to fill before a run, or to read after it. run_backward() uses up the
  // output's gradients.
  float* input() { return input_.data(); }
  float* output() { return output_.data(); }
  float* output_gradients() { return gradient(graph().values() - 1); }
  const float* input_gradients() { return gradient(0); }
  // Of the parameters of step `step` of the graph as it was given, and of all other steps that share them: of a layer
  // its weight's and its bias's, of an operation those of its parameters. Null where there are none.
  const float* parameter_gradients(size_t step) const;

  // Fills the output, and keeps values. Fails with ERR_SHAPE where an operation needs more values to learn from.
  std::optional<Error> run(const Mode& mode, ThreadPool& pool);
  // After a run(), with the weights of that time; a graph of one step needs none, if the caller filled the input and,
  // where it has an activation, the output.
  void run_backward(const Needs& needs, ThreadPool& pool);

  explicit Recording(Graph graph, bool low_memory);

 private:
  // Where the gradients of what steps share lie in parameters_.
  struct Parameters {
    const void* owner;
    size_t at;
    size_t count;
    bool written;
  };
  struct Node {
    std::unique_ptr<LayerGradient> layer;
    Parameters* parameters = nullptr;
    int32_t pieces = 0;        // of an operation's gradient
    int32_t piece_length = 0;  // outputs in time
    size_t partial_count = 0;  // of its parameters' gradients, each of a part of the images
    size_t scratch_floats = 0;
  };

  const Graph& graph() const { return forward_.graph(); }
  void set_training(bool learns);
  std::optional<Error> prepare(double batch, double length, int threads);
  std::optional<Error> prepare_step(size_t step, int threads);
  std::optional<Error> reserve();
  size_t floats(size_t value) const;
  const float* value(size_t value);
  float* gradient(size_t value) { return gradients_.data() + gradient_at_[value]; }
  void back_through_layer(size_t step, const Needs& needs, ThreadPool& pool);
  void back_through_operation(size_t step, const Needs& needs, ThreadPool& pool);
  void back_through_training(size_t step, const TrainingMode& mode, float* operand_gradients, float* parameters,
                             ThreadPool& pool);
  // Where the gradients of an operand go, which holds something to add to; null where nobody asks for them.
  float* begin_gradient(size_t operand, const Needs& needs);
  void run_piece(size_t step, int32_t piece, std::span<float* const> gradients, float* partial, float* scratch);
  void apply_activation_derivative(size_t step, ThreadPool& pool);

  Forward forward_;
  std::vector<size_t> origin_;  // of each step of the graph as it was given: the one that has its parameters
  int32_t batch_ = 0;
  int32_t length_ = 0;
  Mode mode_{};
  size_t resident_ = 0;  // the segment whose values are there
  Array<Node> nodes_;
  Array<Parameters> owners_;
  Buffer<float> input_;
  Buffer<float> output_;
  Buffer<float> gradients_;  // of values
  std::vector<size_t> gradient_at_;
  std::vector<bool> is_written_;  // which of them hold something
  Buffer<float> parameters_;
  size_t parameter_floats_ = 0;
  Buffer<float> spare_;  // what is added to gradients that are written already, or partial sums
  size_t spare_floats_ = 0;
  Buffer<float> scratch_;
  size_t scratch_floats_ = 0;
};

}  // namespace conv1d
