// One direction of one layer of an LSTM or a GRU, over time.
#pragma once

#include <memory>

#include "buffer.h"
#include "errors.h"
#include "operations/operation.h"

namespace conv1d {

// Formulas and the order of gates are those of PyTorch's LSTM (input, forget, cell, output) and GRU (reset, update,
// new). States begin with 0.
class Recurrent final : public Operation {
 public:
  enum class Cell : uint8_t { kLstm, kGru };

  static Result<std::shared_ptr<Recurrent>> make(Cell cell, int32_t inputs, int32_t hidden);

  // weight_ih (gates * hidden, inputs), weight_hh (gates * hidden, hidden), bias_ih and bias_hh (gates * hidden), one
  // behind the other. Whoever writes there calls changed() afterwards.
  float* weights() { return weights_.data(); }
  size_t weight_count() const { return weights_.size(); }
  void changed();

  // h, and c of an LSTM; then the sums of gates.
  size_t state_floats() const override { return hidden_count() * (cell_ == Cell::kLstm ? 2 : 1); }
  size_t scratch_floats() const override { return inputs_count() + 2 * gates(); }
  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* state) const override;

  // Its parameters are weights(), which are given other values there.
  size_t parameter_count() const override { return weight_count(); }
  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override;
  size_t backward_scratch_floats(int64_t samples) const override;

  Recurrent(Cell cell, int32_t inputs, int32_t hidden);

 private:
  size_t hidden_count() const { return static_cast<size_t>(out_channels()); }
  size_t inputs_count() const { return static_cast<size_t>(inputs_); }
  size_t gates() const { return hidden_count() * (cell_ == Cell::kLstm ? 4 : 3); }
  // The next output, h, from sample `t`; leaves the gates where their sums were.
  void step(const Stretch& operand, int64_t t, float* state) const;
  void step_lstm(float* from_input, const float* from_hidden, float* h, float* c) const;
  void step_gru(float* from_input, const float* from_hidden, float* h) const;

  // What backward() keeps of each time, and works with at one.
  struct Kept;
  Kept kept_in(float* scratch, size_t samples) const;
  void derive_lstm(const Kept& kept, size_t t) const;
  void derive_gru(const Kept& kept, size_t t) const;
  void add_weight_gradients(const Kept& kept, float* gradients) const;

  Cell cell_;
  int32_t inputs_;
  Buffer<float> weights_;
  Buffer<float> columns_;  // of weight_ih, then of weight_hh, each contiguous
};

}  // namespace conv1d
