// What is made of each sample on its own. activation: numbers = the activation's index, then its parameters, or its
// first parameter for each channel. gate, glu, magnitude: of the two halves a, b of the channels tanh(a) sigmoid(b)
// (WaveNet's gated activation unit, van den Oord et al. 2016, eq. 2), a sigmoid(b) (Dauphin et al. 2017) and
// sqrt(a^2 + b^2). square, sqrt, abs, exp, log; clip: numbers = least, most.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "buffer.h"
#include "operations/kinds.h"
#include "operations/rows.h"
#include "operator/finish.h"
#include "simd.h"

namespace conv1d {
namespace {

// Calls f(channel, operand's row, out's row) for every channel of the output.
template <class F>
void for_each_row(const Operation& operation, const Stretch& in, int64_t first, const OutputStretch& out, const F& f) {
  for (int32_t c = 0; c < operation.out_channels(); ++c) f(c, in.at(c, first), out.row(c));
}

// out[i] = f(in[i]), four at a time.
template <class F>
void map(const float* in, float* out, int32_t count, const F& f) {
  int32_t i = 0;
  for (; i + 4 <= count; i += 4) wasm_v128_store(out + i, f(wasm_v128_load(in + i)));
  for (; i < count; ++i) wasm_v128_store32_lane(out + i, f(wasm_v128_load32_splat(in + i)), 0);
}

// What is computed at once, in buffers on the stack.
constexpr int32_t kBlock = 256;

// Calls f(channel, first, count) for blocks of every channel of the output.
template <class F>
void for_each_block(const Operation& operation, int64_t first, int32_t count, const F& f) {
  for (int32_t c = 0; c < operation.out_channels(); ++c) {
    for (int32_t t = 0; t < count; t += kBlock) f(c, first + t, std::min(kBlock, count - t));
  }
}

class Activate final : public Operation {
 public:
  Activate(const OperationSpec& spec, OperationId id) : Operation(spec.channels[0], id) {
    finish_.activation = static_cast<Activation>(spec.integer(0));
    const auto given = spec.numbers.subspan(1);
    const bool by_channel = entry_of(finish_.activation).per_channel && given.size() > 1;
    if (!by_channel) {
      std::ranges::transform(given, finish_.parameters.begin(), [](double x) { return static_cast<float>(x); });
      return;
    }
    has_room_ = parameters_.reserve(given.size());
    if (!has_room_) return;
    std::ranges::transform(given, parameters_.data(), [](double x) { return static_cast<float>(x); });
    finish_.channels = parameters_.data();
  }
  bool has_room() const { return has_room_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for_each_row(*this, operands[0], first, out, [&](int32_t channel, const float* in, float* row) {
      std::copy_n(in, count, row);
      activate(finish_, channel, row, static_cast<size_t>(count));
    });
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    if (to.rows == nullptr) return;
    for_each_block(*this, first, count, [&](int32_t channel, int64_t t, int32_t n) {
      const float* parameters = finish_.parameters_of(channel);
      const bool of_output = has_derivative_of_output(finish_.activation, parameters);
      float own[kBlock];
      std::copy_n(gradient.output_gradients.at(channel, t), n, own);
      apply_derivative(finish_.activation, parameters, of_output ? DerivativeOf::kOutput : DerivativeOf::kInput,
                       (of_output ? gradient.output : gradient.operands[0]).at(channel, t), own,
                       static_cast<size_t>(n));
      add_row(own, n, to.row(channel) + t);
    });
  }

 private:
  Finish finish_;
  bool has_room_ = true;
  Buffer<float> parameters_;
};

enum class OfHalves : uint8_t { kGate, kGlu, kMagnitude };

class Halves final : public Operation {
 public:
  Halves(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0] / 2, id),
        kind_(spec.kind == "gate"  ? OfHalves::kGate
              : spec.kind == "glu" ? OfHalves::kGlu
                                   : OfHalves::kMagnitude) {}
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for_each_block(*this, 0, count, [&](int32_t channel, int64_t t, int32_t n) {
      const float* a = operands[0].at(channel, first + t);
      const float* b = operands[0].at(channel + out_channels(), first + t);
      float* row = out.row(channel) + t;
      if (kind_ == OfHalves::kMagnitude) {
        for (int32_t i = 0; i < n; ++i) row[i] = magnitude(a[i], b[i]);
        return;
      }
      float share[kBlock];
      factors(a, b, n, row, share);
      for (int32_t i = 0; i < n; ++i) row[i] *= share[i];
    });
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    if (to.rows == nullptr) return;
    for_each_block(*this, first, count, [&](int32_t channel, int64_t t, int32_t n) {
      const float* a = gradient.operands[0].at(channel, t);
      const float* b = gradient.operands[0].at(channel + out_channels(), t);
      const float* out = gradient.output.at(channel, t);
      const float* own = gradient.output_gradients.at(channel, t);
      float of_a[kBlock];
      float of_b[kBlock];
      if (kind_ == OfHalves::kMagnitude) {
        for (int32_t i = 0; i < n; ++i) {
          const float unit = out[i] == 0 ? 0 : own[i] / out[i];
          of_a[i] = a[i] * unit;
          of_b[i] = b[i] * unit;
        }
      } else {
        float value[kBlock];
        float share[kBlock];
        factors(a, b, n, value, share);
        for (int32_t i = 0; i < n; ++i) {
          of_a[i] = own[i] * share[i];
          of_b[i] = own[i] * value[i];
        }
        const auto derive = [&](Activation f, const float* values, float* gradients) {
          apply_derivative(f, nullptr, DerivativeOf::kOutput, values, gradients, static_cast<size_t>(n));
        };
        if (kind_ == OfHalves::kGate) derive(Activation::kTanh, value, of_a);
        derive(Activation::kSigmoid, share, of_b);
      }
      add_row(of_a, n, to.row(channel) + t);
      add_row(of_b, n, to.row(channel + out_channels()) + t);
    });
  }

 private:
  // In float64, in which squares neither overflow nor underflow.
  static float magnitude(double a, double b) { return static_cast<float>(std::sqrt(a * a + b * b)); }

  // Those of a gated unit.
  void factors(const float* a, const float* b, int32_t n, float* value, float* share) const {
    std::copy_n(b, n, share);
    activate({Activation::kSigmoid}, 0, share, static_cast<size_t>(n));
    std::copy_n(a, n, value);
    if (kind_ == OfHalves::kGate) activate({Activation::kTanh}, 0, value, static_cast<size_t>(n));
  }

  OfHalves kind_;
};

using Map = void(const float* in, float* out, int32_t count, const float* limits);

struct Kind {
  const char* name;
  Map* run;
  Map* derive;  // of inputs, or of outputs
  bool derives_output;
};

// NaN stays NaN.
constexpr Kind kKinds[] = {
    {"square",
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t x) { return wasm_f32x4_mul(x, x); });
     },
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t x) { return wasm_f32x4_add(x, x); });
     },
     false},
    {"sqrt",
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t x) { return wasm_f32x4_sqrt(x); });
     },
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t y) { return wasm_f32x4_div(wasm_f32x4_splat(0.5F), y); });
     },
     true},
    {"abs",
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t x) { return wasm_f32x4_abs(x); });
     },
     [](const float* in, float* out, int32_t count, const float*) {
       for (int32_t i = 0; i < count; ++i) out[i] = in[i] == 0 ? 0 : std::copysign(1.0F, in[i]);
     },
     false},
    {"exp",
     [](const float* in, float* out, int32_t count, const float*) {
       for (int32_t i = 0; i < count; ++i) out[i] = std::exp(in[i]);
     },
     [](const float* in, float* out, int32_t count, const float*) { std::copy_n(in, count, out); }, true},
    {"log",
     [](const float* in, float* out, int32_t count, const float*) {
       for (int32_t i = 0; i < count; ++i) out[i] = static_cast<float>(std::log(static_cast<double>(in[i])));
     },
     [](const float* in, float* out, int32_t count, const float*) {
       map(in, out, count, [](v128_t x) { return wasm_f32x4_div(wasm_f32x4_splat(1), x); });
     },
     false},
    {"clip",
     [](const float* in, float* out, int32_t count, const float* limits) {
       const v128_t least = wasm_f32x4_splat(limits[0]);
       const v128_t most = wasm_f32x4_splat(limits[1]);
       map(in, out, count, [&](v128_t x) { return wasm_f32x4_pmin(wasm_f32x4_pmax(x, least), most); });
     },
     [](const float* in, float* out, int32_t count, const float* limits) {
       for (int32_t i = 0; i < count; ++i) out[i] = in[i] >= limits[0] && in[i] <= limits[1] ? 1 : 0;
     },
     false},
};

class Function final : public Operation {
 public:
  Function(const OperationSpec& spec, OperationId id) : Operation(spec.channels[0], id) {
    for (const Kind& kind : kKinds) {
      if (spec.kind == kind.name) kind_ = &kind;
    }
    for (size_t i = 0; i < spec.numbers.size(); ++i) limits_[i] = static_cast<float>(spec.numbers[i]);
  }
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for_each_row(*this, operands[0], first, out,
                 [&](int32_t, const float* in, float* row) { kind_->run(in, row, count, limits_.data()); });
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    const Stretch& values = kind_->derives_output ? gradient.output : gradient.operands[0];
    if (to.rows == nullptr) return;
    for_each_block(*this, first, count, [&](int32_t channel, int64_t t, int32_t n) {
      float slopes[kBlock];
      kind_->derive(values.at(channel, t), slopes, n, limits_.data());
      add_product(gradient.output_gradients.at(channel, t), slopes, n, to.row(channel) + t);
    });
  }

 private:
  const Kind* kind_ = nullptr;
  std::array<float, 2> limits_{};
};

}  // namespace

MadeOperation make_activation(const OperationSpec& spec, OperationId id) { return made<Activate>(spec, id); }
MadeOperation make_of_halves(const OperationSpec& spec, OperationId id) { return made<Halves>(spec, id); }
MadeOperation make_function(const OperationSpec& spec, OperationId id) { return made<Function>(spec, id); }

}  // namespace conv1d
