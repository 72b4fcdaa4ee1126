// add, subtract, multiply, divide: of two operands, or of one and a constant (one number, or one for each channel).
// affine: scale * x + shift, numbers = the channels' scales, then their shifts.
#include <algorithm>

#include "operations/affine.h"
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

using Combine = void(const float* a, const float* b, size_t b_step, float* out, size_t n);

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
    sign_ = spec.kind == "add"        ? Sign::kAdd
            : spec.kind == "subtract" ? Sign::kSubtract
            : spec.kind == "multiply" ? Sign::kMultiply
                                      : Sign::kDivide;
    has_room_ = spec.channels.size() == 2 || copy_numbers(spec.numbers, out_channels(), &constants_);
  }
  bool has_room() const { return has_room_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      const auto [other, step] = second(operands, c, first);
      row_of(sign_)(operands[0].at(c, first), other, step, out.row(c), static_cast<size_t>(count));
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    for (size_t i = 0; i < gradient.operands.size(); ++i) {
      const OutputStretch& to = gradient.operand_gradients[i];
      if (to.rows == nullptr) continue;
      for (int32_t c = 0; c < out_channels(); ++c) {
        for (int32_t t = 0; t < count; t += kBlock) {
          const size_t n = std::min(kBlock, static_cast<size_t>(count - t));
          add_gradient(gradient, i, c, first + t, n, to.row(c) + first + t);
        }
      }
    }
  }

 private:
  static constexpr size_t kBlock = 256;

  struct Second {
    const float* row;
    size_t step;
  };
  Second second(std::span<const Stretch> operands, int32_t channel, int64_t first) const {
    if (operands.size() == 2) return {operands[1].at(channel, first), 1};
    return {constants_.data() + channel, 0};
  }

  static Combine* row_of(Sign sign) {
    constexpr Combine* kRows[] = {combine_rows<Sign::kAdd>, combine_rows<Sign::kSubtract>,
                                  combine_rows<Sign::kMultiply>, combine_rows<Sign::kDivide>};
    return kRows[static_cast<size_t>(sign)];
  }

  // Of operand `i`: that of a / b is the output's gradient / b, or that * -(a / b).
  void add_gradient(const OperationGradient& gradient, size_t i, int32_t channel, int64_t first, size_t n,
                    float* to) const {
    const float* own = gradient.output_gradients.at(channel, first);
    float product[kBlock];
    if (sign_ == Sign::kMultiply || sign_ == Sign::kDivide) {
      const bool by_first = i == 1 && sign_ == Sign::kMultiply;
      const auto [factor, step] =
          by_first ? Second{gradient.operands[0].at(channel, first), 1} : second(gradient.operands, channel, first);
      row_of(sign_)(own, factor, step, product, n);
      own = product;
      if (i == 1 && !by_first) row_of(Sign::kMultiply)(own, gradient.output.at(channel, first), 1, product, n);
    }
    const bool taken_away = i == 1 && (sign_ == Sign::kSubtract || sign_ == Sign::kDivide);
    row_of(taken_away ? Sign::kSubtract : Sign::kAdd)(to, own, 1, to, n);
  }

  Sign sign_;
  bool has_room_;
  Buffer<float> constants_;
};

}  // namespace

bool Affine::reserve() {
  return scales_.reserve(static_cast<size_t>(out_channels())) && shifts_.reserve(static_cast<size_t>(out_channels()));
}

void Affine::set(size_t channel, double scale, double shift) {
  scales_[channel] = static_cast<float>(scale);
  shifts_[channel] = static_cast<float>(shift);
}

void Affine::compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
                     float* /*state*/) const {
  for (int32_t c = 0; c < out_channels(); ++c) {
    const auto channel = static_cast<size_t>(c);
    const v128_t scale = wasm_f32x4_splat(scales_[channel]);
    for_each(operands[0].at(c, first), shifts_.data() + channel, 0, out.row(c), static_cast<size_t>(count),
             [&](v128_t x, v128_t shift) { return madd(x, scale, shift); });
  }
}

void Affine::backward(const OperationGradient& gradient, int64_t first, int32_t count) const {
  const OutputStretch& to = gradient.operand_gradients[0];
  if (to.rows == nullptr) return;
  for (int32_t c = 0; c < out_channels(); ++c) {
    float* row = to.row(c) + first;
    const v128_t scale = wasm_f32x4_splat(scales_[static_cast<size_t>(c)]);
    for_each(gradient.output_gradients.at(c, first), row, 1, row, static_cast<size_t>(count),
             [&](v128_t own, v128_t sum) { return madd(own, scale, sum); });
  }
}

MadeOperation make_arithmetic(const OperationSpec& spec, OperationId id) { return made<Arithmetic>(spec, id); }

MadeOperation make_affine(const OperationSpec& spec, OperationId id) {
  auto* affine = new Affine(spec.channels[0], id);
  const bool has_room = affine->reserve();
  const auto channels = static_cast<size_t>(affine->out_channels());
  for (size_t c = 0; has_room && c < channels; ++c) affine->set(c, spec.numbers[c], spec.numbers[channels + c]);
  return own(affine, has_room);
}

}  // namespace conv1d
