// What a network does with signals beside convolving them: the same code for whole signals and for pieces of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "integers.h"

namespace conv1d {

// A stretch of one image of a signal: of every channel the samples from `begin` on.
struct Stretch {
  const float* rows;
  size_t pitch;    // floats from a channel's row to the next
  int64_t begin;   // the sample that rows begin with
  int64_t length;  // samples of the signal, so far or in all

  const float* at(int32_t channel, int64_t sample) const {
    return rows + static_cast<size_t>(channel) * pitch + static_cast<size_t>(sample - begin);
  }
};

// Where outputs go: row c of them lies at rows + c * pitch.
struct OutputStretch {
  float* rows;
  size_t pitch;

  float* row(int32_t channel) const { return rows + static_cast<size_t>(channel) * pitch; }
};

// What backward() gets, of one image: whole signals, and gradients of a loss.
struct OperationGradient {
  std::span<const Stretch> operands;
  Stretch output;            // as compute() made it
  Stretch output_gradients;  // likewise
  // Of each operand, to which its gradients are added, rows from sample 0 on; null where nobody asks for them.
  std::span<const OutputStretch> operand_gradients;
  float* parameter_gradients;  // to which those of the parameters are added, in their order; null where nobody asks
  float* scratch;              // backward_scratch_floats()
};

// The same signal, or gradients of it, of every image of a batch: (images, channels, length), row-major.
struct Batch {
  int32_t images;
  int32_t channels;
  int64_t length;

  size_t pitch() const { return static_cast<size_t>(channels) * static_cast<size_t>(length); }  // of images
  size_t row(int32_t image, int32_t channel) const {
    return static_cast<size_t>(image) * pitch() + static_cast<size_t>(channel) * static_cast<size_t>(length);
  }
};

// What an operation does in training that differs from compute(). Channels may be taken in any order, and at the same
// time: the bits do not depend on it.
class TrainingMode {
 public:
  TrainingMode() = default;
  virtual ~TrainingMode() = default;
  TrainingMode(const TrainingMode&) = delete;
  TrainingMode& operator=(const TrainingMode&) = delete;

  // Fewest values of a channel, in all images, that it can do with.
  virtual int64_t least_values() const { return 1; }

  // The output of channels [begin, end). `seed` is another one for each operation and run. `learns`: whether the
  // running numbers are updated, once a run.
  virtual void train(const Batch& batch, const float* operand, int32_t begin, int32_t end, uint64_t seed, bool learns,
                     float* out) = 0;

  // Adds the gradients of channels [begin, end), of the run with that operand and seed. Null where nobody asks; those
  // of parameters are all of them.
  virtual void train_backward(const Batch& batch, const float* operand, const float* output_gradients, int32_t begin,
                              int32_t end, uint64_t seed, float* operand_gradients,
                              float* parameter_gradients) const = 0;
};

// Which samples make an output. Output t needs those from floor((t * down + first) / up) to floor((t * down + last) /
// up), as far as they exist.
struct Timing {
  int32_t up = 1;
  int32_t down = 1;
  int64_t first = 0;
  int64_t last = 0;
  bool at_end = false;  // there is one output, made of all samples

  bool in_step() const { return up == 1 && down == 1 && first == 0 && last == 0 && !at_end; }
  int64_t first_sample(int64_t t) const { return floor_div(t * down + first, up); }
  int64_t last_sample(int64_t t) const { return floor_div(t * down + last, up); }
  // Outputs that `samples` determine while more may come.
  int64_t outputs(int64_t samples) const {
    return at_end ? 0 : std::max<int64_t>(floor_div(samples * up - last - 1, down) + 1, 0);
  }
};

// What tells operations apart: the name of the kind, and a digest of it with all numbers.
struct OperationId {
  const char* name;
  uint32_t digest;
};

// Most operands of an operation.
inline constexpr size_t kMostOperands = 16;

// What makes a signal of others.
class Computation {
 public:
  Computation(int32_t out_channels, OperationId id) : out_channels_(out_channels), id_(id) {}
  virtual ~Computation() = default;
  Computation(const Computation&) = delete;
  Computation& operator=(const Computation&) = delete;

  int32_t out_channels() const { return out_channels_; }
  const OperationId& id() const { return id_; }

  virtual Timing timing() const { return {}; }
  // Outputs of a whole signal; less than 1 where it is too short.
  virtual int64_t length(int64_t samples) const { return samples; }
  // Why no stream can have it, or null.
  virtual const char* why_not_in_streams() const { return nullptr; }

  // What it remembers of an image between calls, and how that begins. `state` has scratch_floats() more behind them.
  virtual size_t state_floats() const { return 0; }
  virtual size_t scratch_floats() const { return 0; }
  virtual void start(float* state) const { std::fill_n(state, state_floats(), 0.0F); }
  // Takes samples [first, first + count) into the state, where that makes the output at the end.
  virtual void take(const Stretch& operand, int64_t first, int32_t count, float* state) const {
    (void)operand, (void)first, (void)count, (void)state;
  }

  // Outputs [first, first + count) of an image. `operands` hold what timing() says; they do not overlap the outputs.
  // Those of an operation with a state come in order. The bits of an output do not depend on the cuts.
  virtual void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
                       float* state) const = 0;

 private:
  int32_t out_channels_;
  OperationId id_;
};

// A step of a network: its gradient is known too.
class Operation : public Computation {
 public:
  using Computation::Computation;

  // The numbers that training changes, such as a norm's weights and biases; none of most operations.
  virtual size_t parameter_count() const { return 0; }
  // The numbers that it was made of, in their order (see the files of this folder), of one that has parameters.
  virtual std::span<const double> numbers() const { return {}; }
  // Takes others, as many.
  virtual void renew(std::span<const double> numbers) { (void)numbers; }

  // Null where it does in training what it always does.
  virtual TrainingMode* training_mode() { return nullptr; }

  // Adds the gradients of operands and parameters that outputs [first, first + count) bring. Only operations that are
  // in step and have neither parameters nor a state are called for less than all outputs at once.
  virtual void backward(const OperationGradient& gradient, int64_t first, int32_t count) const = 0;
  // Floats of scratch memory that it needs for a signal of `samples` samples.
  virtual size_t backward_scratch_floats(int64_t samples) const {
    (void)samples;
    return 0;
  }
};

}  // namespace conv1d
