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

  Recurrent(Cell cell, int32_t inputs, int32_t hidden);

 private:
  size_t hidden_count() const { return static_cast<size_t>(out_channels()); }
  size_t inputs_count() const { return static_cast<size_t>(inputs_); }
  size_t gates() const { return hidden_count() * (cell_ == Cell::kLstm ? 4 : 3); }
  void step_lstm(float* from_input, const float* from_hidden, float* h, float* c) const;
  void step_gru(float* from_input, const float* from_hidden, float* h) const;

  Cell cell_;
  int32_t inputs_;
  Buffer<float> weights_;
  Buffer<float> columns_;  // of weight_ih, then of weight_hh, each contiguous
};

}  // namespace conv1d
