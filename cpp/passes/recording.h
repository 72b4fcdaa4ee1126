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
    bool weights;  // those of layers, and all parameters of operations
    bool biases;   // of layers
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
  // Of the parameters of the layer or operation of `step`, in all steps that have it: of a layer its weight's and its
  // bias's. Null where there are none.
  const float* parameter_gradients(const Step& step);

  // Fills the output, and keeps values. Fails with ERR_SHAPE where an operation needs more values to learn from.
  std::optional<Error> run(const Mode& mode, ThreadPool& pool);
  // After a run(), with the weights of that time; a graph of one step needs none, if the caller filled the input and,
  // where it has an activation, the output.
  void run_backward(const Needs& needs, ThreadPool& pool);

  Recording(Graph graph, bool low_memory);

 private:
  // Where the gradients of what steps share lie in parameters_.
  struct Parameters {
    const void* owner = nullptr;
    size_t at = 0;
    size_t count = 0;
    bool written = false;
  };
  struct Node {
    std::unique_ptr<LayerGradient> layer;
    Parameters* parameters = nullptr;
    int32_t pieces = 0;        // of an operation's gradient
    int32_t piece_length = 0;  // outputs in time
    size_t scratch_floats = 0;
  };

  // The gradients of a value.
  struct Gradient {
    size_t at = 0;
    bool written = false;
  };

  const Graph& graph() const { return forward_.graph(); }
  static Result<std::unique_ptr<Recording>> lay_out(const Graph& graph, double batch, double length, bool low_memory);
  // Where all lies.
  std::optional<Error> lay_out(double batch, double length);
  double bytes() const { return kept_bytes_ + sizeof(float) * (gradient_floats_ + parameter_floats_ + ends_); }
  std::optional<Error> prepare(int threads);
  std::optional<Error> prepare_step(size_t step, int threads);
  int32_t length_of(size_t value) const { return value == 0 ? length_ : lengths_[value - 1]; }
  size_t floats(size_t value) const;
  const float* value(size_t value);
  float* gradient(size_t value) { return gradients_.data() + gradient_of_[value].at; }
  Parameters* find(const void* owner);
  void set_training(bool learns);
  void back_through_layer(size_t step, const Needs& needs, ThreadPool& pool);
  void back_through_operation(size_t step, const Needs& needs, ThreadPool& pool);
  void back_through_training(size_t step, const TrainingMode& mode, float* operand_gradients, float* parameters,
                             ThreadPool& pool);
  // Where the gradients of an operand go, which holds something to add to; null where nobody asks for them.
  float* begin_gradient(size_t operand, const Needs& needs);
  void run_piece(size_t step, int32_t piece, std::span<float* const> gradients, float* partial, float* scratch);
  void apply_activation_derivative(size_t step, ThreadPool& pool);

  Forward forward_;
  int32_t batch_ = 0;
  int32_t length_ = 0;
  std::vector<int32_t> lengths_;  // of what each step makes
  Mode mode_{};
  size_t resident_ = 0;  // the segment whose values are there
  Array<Node> nodes_;
  Array<Parameters> owners_;
  Array<Gradient> gradient_of_;
  Buffer<float> input_;
  Buffer<float> output_;
  Buffer<float> gradients_;  // of values
  Buffer<float> parameters_;
  Buffer<float> spare_;  // what is added to gradients that are written already, or partial sums
  Buffer<float> scratch_;
  double kept_bytes_ = 0;
  double gradient_floats_ = 0;
  double parameter_floats_ = 0;
  double ends_ = 0;  // floats of input and output
};

}  // namespace conv1d
