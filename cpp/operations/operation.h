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
  // Of each operand, to which its gradients are added; rows are null where nobody asks for them.
  std::span<const OutputStretch> operand_gradients;
  float* parameter_gradients;  // to which those of parameters() are added, in their order; null where nobody asks
  float* scratch;              // backward_scratch_floats()
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

class Operation {
 public:
  Operation(int32_t out_channels, OperationId id) : out_channels_(out_channels), id_(id) {}
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

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

  // The numbers that training changes, such as a norm's weights and biases; none of most operations.
  virtual size_t parameter_count() const { return 0; }
  // Takes other numbers, as many as those that it was made of and in their order (see the files of operations/).
  virtual void renew(std::span<const double> numbers) { (void)numbers; }

  // Adds the gradients of operands and parameters that outputs [first, first + count) bring. Only operations that are
  // in step and have neither parameters nor a state are called for less than all outputs at once.
  virtual void backward(const OperationGradient& gradient, int64_t first, int32_t count) const {
    (void)gradient, (void)first, (void)count;
  }
  // Floats of scratch memory that it needs for a signal of `samples` samples.
  virtual size_t backward_scratch_floats(int64_t samples) const {
    (void)samples;
    return 0;
  }

 private:
  int32_t out_channels_;
  OperationId id_;
};

}  // namespace conv1d
