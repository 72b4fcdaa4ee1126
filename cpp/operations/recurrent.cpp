#include "operations/recurrent.h"

#include <algorithm>

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
  float* h = state;
  float* c = state + hidden_count();
  float* x = state + state_floats();
  float* from_input = x + inputs_count();
  float* from_hidden = from_input + gates();
  const float* hidden_columns = columns_.data() + inputs_count() * gates();
  const float* input_bias = weights_.data() + (inputs_count() + hidden_count()) * gates();
  for (int32_t t = 0; t < count; ++t) {
    for (int32_t i = 0; i < inputs_; ++i) x[i] = *operands[0].at(i, first + t);
    multiply(columns_.data(), input_bias, x, inputs_count(), gates(), from_input);
    multiply(hidden_columns, input_bias + gates(), h, hidden_count(), gates(), from_hidden);
    cell_ == Cell::kLstm ? step_lstm(from_input, from_hidden, h, c) : step_gru(from_input, from_hidden, h);
    for (int32_t i = 0; i < out_channels(); ++i) out.row(i)[t] = h[i];
  }
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

}  // namespace conv1d
