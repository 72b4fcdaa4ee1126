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
    constexpr int32_t kBlock = 256;
    float buffer[kBlock];
    for_each_row(*this, operands[0], first, out, [&](int32_t channel, const float* a, float* row) {
      const float* b = operands[0].at(channel + out_channels(), first);
      for (int32_t t = 0; t < count; t += kBlock) {
        const int32_t n = std::min(kBlock, count - t);
        if (kind_ == OfHalves::kMagnitude) {
          for (int32_t i = t; i < t + n; ++i) row[i] = magnitude(a[i], b[i]);
          continue;
        }
        std::copy_n(b + t, n, buffer);
        activate({Activation::kSigmoid}, 0, buffer, static_cast<size_t>(n));
        std::copy_n(a + t, n, row + t);
        if (kind_ == OfHalves::kGate) activate({Activation::kTanh}, 0, row + t, static_cast<size_t>(n));
        for (int32_t i = 0; i < n; ++i) row[t + i] *= buffer[i];
      }
    });
  }

 private:
  // In float64, in which squares neither overflow nor underflow.
  static float magnitude(double a, double b) { return static_cast<float>(std::sqrt(a * a + b * b)); }

  OfHalves kind_;
};

class Function final : public Operation {
 public:
  Function(const OperationSpec& spec, OperationId id) : Operation(spec.channels[0], id) {
    const auto is = [&](const char* name) { return spec.kind == name; };
    run_ = is("square") ? square : is("sqrt") ? root : is("abs") ? magnitude : is("exp") ? exp : is("log") ? log : clip;
    for (size_t i = 0; i < spec.numbers.size(); ++i) limits_[i] = static_cast<float>(spec.numbers[i]);
  }
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for_each_row(*this, operands[0], first, out,
                 [&](int32_t, const float* in, float* row) { run_(in, row, count, limits_.data()); });
  }

 private:
  using Run = void (*)(const float* in, float* out, int32_t count, const float* limits);

  static void square(const float* in, float* out, int32_t count, const float* /*limits*/) {
    map(in, out, count, [](v128_t x) { return wasm_f32x4_mul(x, x); });
  }
  static void root(const float* in, float* out, int32_t count, const float* /*limits*/) {
    map(in, out, count, [](v128_t x) { return wasm_f32x4_sqrt(x); });
  }
  static void magnitude(const float* in, float* out, int32_t count, const float* /*limits*/) {
    map(in, out, count, [](v128_t x) { return wasm_f32x4_abs(x); });
  }
  static void exp(const float* in, float* out, int32_t count, const float* /*limits*/) {
    for (int32_t i = 0; i < count; ++i) out[i] = std::exp(in[i]);
  }
  static void log(const float* in, float* out, int32_t count, const float* /*limits*/) {
    for (int32_t i = 0; i < count; ++i) out[i] = static_cast<float>(std::log(static_cast<double>(in[i])));
  }
  // NaN stays NaN.
  static void clip(const float* in, float* out, int32_t count, const float* limits) {
    const v128_t least = wasm_f32x4_splat(limits[0]);
    const v128_t most = wasm_f32x4_splat(limits[1]);
    map(in, out, count, [&](v128_t x) { return wasm_f32x4_pmin(wasm_f32x4_pmax(x, least), most); });
  }

  Run run_;
  std::array<float, 2> limits_{};
};

}  // namespace

MadeOperation make_activation(const OperationSpec& spec, OperationId id) { return made<Activate>(spec, id); }
MadeOperation make_of_halves(const OperationSpec& spec, OperationId id) { return made<Halves>(spec, id); }
MadeOperation make_function(const OperationSpec& spec, OperationId id) { return made<Function>(spec, id); }

}  // namespace conv1d
