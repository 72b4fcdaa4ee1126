#include "operations/recurrent.h"

#include <algorithm>
#include <utility>

#include "integers.h"
#include "operator/finish.h"
#include "simd.h"

namespace conv1d {
namespace {

// sums[j] = bias[j] + the sum over i of columns[i][j] * x[i], in the order of i; rows j are `n`.
void multiply(const float* columns, const float* bias, const float* x, size_t columns_count, size_t n, float* sums) {
  size_t j = 0;
  const auto block = [&]<size_t kVectors>() {
    v128_t sum[kVectors];
    for (size_t v = 0; v < kVectors; ++v) sum[v] = wasm_v128_load(bias + j + 4 * v);
    const float* column = columns + j;
    for (size_t i = 0; i < columns_count; ++i, column += n) {
      const v128_t factor = wasm_v128_load32_splat(x + i);
      for (size_t v = 0; v < kVectors; ++v) sum[v] = madd(factor, wasm_v128_load(column + 4 * v), sum[v]);
    }
    for (size_t v = 0; v < kVectors; ++v) wasm_v128_store(sums + j + 4 * v, sum[v]);
    j += 4 * kVectors;
  };
  while (j + 32 <= n) block.template operator()<8>();
  while (j + 4 <= n) block.template operator()<1>();
  for (; j < n; ++j) {
    v128_t sum = wasm_v128_load32_splat(bias + j);
    for (size_t i = 0; i < columns_count; ++i) {
      sum = madd(wasm_v128_load32_splat(x + i), wasm_v128_load32_splat(columns + i * n + j), sum);
    }
    wasm_v128_store32_lane(sums + j, sum, 0);
  }
}

// An odd number of cache lines: what all rows have of one time must not fall into one set of a cache.
size_t pitch_along_time(size_t samples) {
  constexpr size_t kLine = 16;
  return (ceil_div(samples, kLine) | 1) * kLine;
}

void sigmoid(float* values, size_t n) { activate({Activation::kSigmoid}, 0, values, n); }
void tanh(float* values, size_t n) { activate({Activation::kTanh}, 0, values, n); }

}  // namespace

Recurrent::Recurrent(Cell cell, int32_t inputs, int32_t hidden)
    : Operation(hidden, {cell == Cell::kLstm ? "lstm" : "gru", static_cast<uint32_t>(cell)}),
      cell_(cell),
      inputs_(inputs) {}

Result<std::shared_ptr<Recurrent>> Recurrent::make(Cell cell, int32_t inputs, int32_t hidden) {
  auto made = std::make_shared<Recurrent>(cell, inputs, hidden);
  const double columns = static_cast<double>(inputs) + hidden;
  const double floats = static_cast<double>(made->gates()) * (columns + 2);
  if (floats > static_cast<double>(kMaxElements) || !made->weights_.reserve(static_cast<size_t>(floats)) ||
      !made->columns_.reserve(made->gates() * (made->inputs_count() + made->hidden_count()))) {
    return no_room(2 * floats * sizeof(float), "weights");
  }
  std::fill_n(made->weights_.data(), made->weights_.size(), 0.0F);
  made->changed();
  return made;
}

void Recurrent::changed() {
  const size_t rows = gates();
  float* to = columns_.data();
  const float* from = weights_.data();
  for (const size_t columns : {inputs_count(), hidden_count()}) {
    for (size_t i = 0; i < columns; ++i) {
      for (size_t j = 0; j < rows; ++j) *to++ = from[j * columns + i];
    }
    from += rows * columns;
  }
}

void Recurrent::compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
                        float* state) const {
  for (int32_t t = 0; t < count; ++t) {
    step(operands[0], first + t, state);
    for (int32_t i = 0; i < out_channels(); ++i) out.row(i)[t] = state[i];
  }
}

void Recurrent::step(const Stretch& operand, int64_t t, float* state) const {
  float* h = state;
  float* c = state + hidden_count();
  float* x = state + state_floats();
  float* from_input = x + inputs_count();
  float* from_hidden = from_input + gates();
  const float* hidden_columns = columns_.data() + inputs_count() * gates();
  const float* input_bias = weights_.data() + (inputs_count() + hidden_count()) * gates();
  for (int32_t i = 0; i < inputs_; ++i) x[i] = *operand.at(i, t);
  multiply(columns_.data(), input_bias, x, inputs_count(), gates(), from_input);
  multiply(hidden_columns, input_bias + gates(), h, hidden_count(), gates(), from_hidden);
  cell_ == Cell::kLstm ? step_lstm(from_input, from_hidden, h, c) : step_gru(from_input, from_hidden, h);
}

// c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').
void Recurrent::step_lstm(float* from_input, const float* from_hidden, float* h, float* c) const {
  const size_t n = hidden_count();
  float* sums = from_input;
  for (size_t j = 0; j < 4 * n; ++j) sums[j] += from_hidden[j];
  sigmoid(sums, 2 * n);
  tanh(sums + 2 * n, n);
  sigmoid(sums + 3 * n, n);
  for (size_t j = 0; j < n; ++j) h[j] = c[j] = sums[n + j] * c[j] + sums[j] * sums[2 * n + j];
  tanh(h, n);
  for (size_t j = 0; j < n; ++j) h[j] *= sums[3 * n + j];
}

// n = tanh(W x + b + sigmoid(r) (W h + b)), h' = (1 - z) n + z h with z = sigmoid(z).
void Recurrent::step_gru(float* from_input, const float* from_hidden, float* h) const {
  const size_t n = hidden_count();
  for (size_t j = 0; j < 2 * n; ++j) from_input[j] += from_hidden[j];
  sigmoid(from_input, 2 * n);
  float* candidate = from_input + 2 * n;
  for (size_t j = 0; j < n; ++j) candidate[j] += from_input[j] * from_hidden[2 * n + j];
  tanh(candidate, n);
  for (size_t j = 0; j < n; ++j) {
    const float update = from_input[n + j];
    h[j] = (1 - update) * candidate[j] + update * h[j];
  }
}

struct Recurrent::Kept {
  size_t samples;
  size_t pitch;    // of rows along time
  float* state;    // as compute() has it
  float* operand;  // (samples, inputs)
  float* h;        // (samples, hidden), before each sample
  float* c;        // likewise, of an LSTM
  // (4, hidden), rows along time. A GRU's last is W h + b of the new gate. Gradients of the sums take their place.
  float* gates;
  // Gradients at one time: of these sums (4, hidden), of the operand, of h and of c.
  float* sums;
  float* of_operand;
  float* of_h;
  float* of_c;
};

Recurrent::Kept Recurrent::kept_in(float* scratch, size_t samples) const {
  const size_t n = hidden_count();
  const auto next = [&](size_t floats) { return std::exchange(scratch, scratch + floats); };
  const size_t pitch = pitch_along_time(samples);
  return {.samples = samples,
          .pitch = pitch,
          .state = next(state_floats() + scratch_floats()),
          .operand = next(samples * inputs_count()),
          .h = next(samples * n),
          .c = next(samples * n),
          .gates = next(pitch * 4 * n),
          .sums = next(4 * n),
          .of_operand = next(inputs_count()),
          .of_h = next(n),
          .of_c = next(n)};
}

size_t Recurrent::backward_scratch_floats(int64_t samples) const {
  const size_t n = hidden_count();
  const auto count = static_cast<size_t>(samples);
  return state_floats() + scratch_floats() + (count + 1) * (inputs_count() + 2 * n) +
         (pitch_along_time(count) + 1) * 4 * n;
}

// Backpropagation through time.
void Recurrent::backward(const OperationGradient& gradient, int64_t /*first*/, int32_t count) const {
  const size_t n = hidden_count();
  const auto samples = static_cast<size_t>(count);
  const Kept kept = kept_in(gradient.scratch, samples);
  start(kept.state);
  for (size_t t = 0; t < samples; ++t) {
    std::copy_n(kept.state, n, kept.h + t * n);
    if (cell_ == Cell::kLstm) std::copy_n(kept.state + n, n, kept.c + t * n);
    step(gradient.operands[0], static_cast<int64_t>(t), kept.state);
    const float* x = kept.state + state_floats();
    std::copy_n(x, inputs_count(), kept.operand + t * inputs_count());
    const float* gate = x + inputs_count();
    for (size_t j = 0; j < 4 * n; ++j) kept.gates[j * kept.pitch + t] = gate[j < gates() ? j : gates() + j - n];
  }
  std::fill_n(kept.of_h, n, 0.0F);
  std::fill_n(kept.of_c, n, 0.0F);
  const OutputStretch& to = gradient.operand_gradients[0];
  for (size_t t = samples; t-- > 0;) {
    for (size_t j = 0; j < n; ++j) {
      kept.of_h[j] += *gradient.output_gradients.at(static_cast<int32_t>(j), static_cast<int64_t>(t));
    }
    cell_ == Cell::kLstm ? derive_lstm(kept, t) : derive_gru(kept, t);
    for (size_t j = 0; j < 4 * n; ++j) kept.gates[j * kept.pitch + t] = kept.sums[j];
    if (to.rows != nullptr) {
      std::fill_n(kept.of_operand, inputs_count(), 0.0F);
      multiply(weights_.data(), kept.of_operand, kept.sums, gates(), inputs_count(), kept.of_operand);
      for (int32_t i = 0; i < inputs_; ++i) to.row(i)[t] += kept.of_operand[i];
    }
    if (cell_ == Cell::kGru) std::copy_n(kept.sums + 3 * n, n, kept.sums + 2 * n);
    multiply(weights_.data() + gates() * inputs_count(), kept.of_h, kept.sums, gates(), n, kept.of_h);
  }
  if (gradient.parameter_gradients != nullptr) add_weight_gradients(kept, gradient.parameter_gradients);
}

// Leaves in of_h and of_c what reaches the states before, but for that by the sums.
void Recurrent::derive_lstm(const Kept& kept, size_t t) const {
  const size_t n = hidden_count();
  const auto gate = [&](size_t i, size_t j) { return kept.gates[(i * n + j) * kept.pitch + t]; };
  const float* before = kept.c + t * n;
  float* squashed = kept.sums + 3 * n;
  for (size_t j = 0; j < n; ++j) squashed[j] = gate(1, j) * before[j] + gate(0, j) * gate(2, j);
  tanh(squashed, n);
  for (size_t j = 0; j < n; ++j) {
    const float input = gate(0, j);
    const float forget = gate(1, j);
    const float candidate = gate(2, j);
    const float output = gate(3, j);
    const float of_c = kept.of_c[j] + kept.of_h[j] * output * (1 - squashed[j] * squashed[j]);
    kept.sums[j] = of_c * candidate * input * (1 - input);
    kept.sums[n + j] = of_c * before[j] * forget * (1 - forget);
    kept.sums[2 * n + j] = of_c * input * (1 - candidate * candidate);
    kept.sums[3 * n + j] = kept.of_h[j] * squashed[j] * output * (1 - output);
    kept.of_c[j] = of_c * forget;
    kept.of_h[j] = 0;
  }
}

void Recurrent::derive_gru(const Kept& kept, size_t t) const {
  const size_t n = hidden_count();
  const auto gate = [&](size_t i, size_t j) { return kept.gates[(i * n + j) * kept.pitch + t]; };
  for (size_t j = 0; j < n; ++j) {
    const float reset = gate(0, j);
    const float update = gate(1, j);
    const float candidate = gate(2, j);
    const float of_candidate = kept.of_h[j] * (1 - update) * (1 - candidate * candidate);
    kept.sums[j] = of_candidate * gate(3, j) * reset * (1 - reset);
    kept.sums[n + j] = kept.of_h[j] * (kept.h[t * n + j] - candidate) * update * (1 - update);
    kept.sums[2 * n + j] = of_candidate;
    kept.sums[3 * n + j] = of_candidate * reset;
    kept.of_h[j] *= update;
  }
}

void Recurrent::add_weight_gradients(const Kept& kept, float* gradients) const {
  const size_t n = hidden_count();
  float* biases = gradients + gates() * (inputs_count() + n);
  const auto add = [&](const float* values, size_t columns, const float* sums, float* to, float* bias) {
    multiply(values, to, sums, kept.samples, columns, to);
    double sum = 0;
    for (size_t t = 0; t < kept.samples; ++t) sum += sums[t];
    *bias += static_cast<float>(sum);
  };
  for (size_t j = 0; j < gates(); ++j) {
    add(kept.operand, inputs_count(), kept.gates + j * kept.pitch, gradients, biases + j);
    gradients += inputs_count();
  }
  for (size_t j = 0; j < gates(); ++j) {
    const size_t row = cell_ == Cell::kGru && j >= 2 * n ? j + n : j;
    add(kept.h, n, kept.gates + row * kept.pitch, gradients, biases + gates() + j);
    gradients += n;
  }
}

}  // namespace conv1d
