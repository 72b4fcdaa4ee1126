// add, subtract, multiply, divide: of two operands, or of one and a constant (one number, or one for each channel).
// affine: scale * x + shift, numbers = the channels' scales, then their shifts.
#include "buffer.h"
#include "operations/kinds.h"
#include "simd.h"

namespace conv1d {
namespace {

enum class Sign : uint8_t { kAdd, kSubtract, kMultiply, kDivide };

template <Sign kSign>
v128_t combine(v128_t a, v128_t b) {
  switch (kSign) {
    case Sign::kAdd:
      return wasm_f32x4_add(a, b);
    case Sign::kSubtract:
      return wasm_f32x4_sub(a, b);
    case Sign::kMultiply:
      return wasm_f32x4_mul(a, b);
    default:
      return wasm_f32x4_div(a, b);
  }
}

// out[i] = f(a[i], b[i]), the steps of `b` being 1 or 0 floats.
template <class F>
void for_each(const float* a, const float* b, size_t b_step, float* out, size_t n, const F& f) {
  const v128_t constant = wasm_v128_load32_splat(b);
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(out + i, f(wasm_v128_load(a + i), b_step == 0 ? constant : wasm_v128_load(b + i)));
  }
  for (; i < n; ++i) {
    wasm_v128_store32_lane(out + i, f(wasm_v128_load32_splat(a + i), wasm_v128_load32_splat(b + i * b_step)), 0);
  }
}

template <Sign kSign>
void combine_rows(const float* a, const float* b, size_t b_step, float* out, size_t n) {
  for_each(a, b, b_step, out, n, combine<kSign>);
}

// A float for each channel, of as many numbers or of one that they share.
bool copy_numbers(std::span<const double> numbers, int32_t channels, Buffer<float>* floats) {
  if (!floats->reserve(static_cast<size_t>(channels))) return false;
  for (size_t c = 0; c < floats->size(); ++c) {
    (*floats)[c] = static_cast<float>(numbers[numbers.size() == 1 ? 0 : c]);
  }
  return true;
}

class Arithmetic final : public Operation {
 public:
  Arithmetic(const OperationSpec& spec, OperationId id) : Operation(spec.channels[0], id) {
    run_ = spec.kind == "add"        ? combine_rows<Sign::kAdd>
           : spec.kind == "subtract" ? combine_rows<Sign::kSubtract>
           : spec.kind == "multiply" ? combine_rows<Sign::kMultiply>
                                     : combine_rows<Sign::kDivide>;
    has_room_ = spec.channels.size() == 2 || copy_numbers(spec.numbers, out_channels(), &constants_);
  }
  bool has_room() const { return has_room_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    const bool pair = operands.size() == 2;
    for (int32_t c = 0; c < out_channels(); ++c) {
      run_(operands[0].at(c, first), pair ? operands[1].at(c, first) : constants_.data() + c, pair ? 1 : 0, out.row(c),
           static_cast<size_t>(count));
    }
  }

 private:
  void (*run_)(const float* a, const float* b, size_t b_step, float* out, size_t n);
  bool has_room_;
  Buffer<float> constants_;
};

class Affine final : public Operation {
 public:
  Affine(const OperationSpec& spec, OperationId id) : Operation(spec.channels[0], id) {
    const auto channels = static_cast<size_t>(out_channels());
    has_room_ = copy_numbers(spec.numbers.first(channels), out_channels(), &scales_) &&
                copy_numbers(spec.numbers.subspan(channels), out_channels(), &shifts_);
  }
  bool has_room() const { return has_room_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      const auto channel = static_cast<size_t>(c);
      const v128_t scale = wasm_f32x4_splat(scales_[channel]);
      for_each(operands[0].at(c, first), shifts_.data() + channel, 0, out.row(c), static_cast<size_t>(count),
               [&](v128_t x, v128_t shift) { return madd(x, scale, shift); });
    }
  }

 private:
  bool has_room_;
  Buffer<float> scales_;
  Buffer<float> shifts_;
};

}  // namespace

MadeOperation make_arithmetic(const OperationSpec& spec, OperationId id) { return made<Arithmetic>(spec, id); }
MadeOperation make_affine(const OperationSpec& spec, OperationId id) { return made<Affine>(spec, id); }

}  // namespace conv1d
