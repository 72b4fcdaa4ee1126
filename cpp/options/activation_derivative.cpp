#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "options/activation.h"
#include "simd.h"

// Each derivative is a few operations on x and on what functions of the table give for it. The errors are some 2^-21 of
// the steepest that the activation is.

namespace conv1d {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

v128_t splat(double x) { return wasm_f32x4_splat(static_cast<float>(x)); }
v128_t add(v128_t a, v128_t b) { return wasm_f32x4_add(a, b); }
v128_t mul(v128_t a, v128_t b) { return wasm_f32x4_mul(a, b); }
v128_t less_from_1(v128_t x) { return wasm_f32x4_sub(splat(1), x); }
v128_t select(v128_t condition, v128_t a, v128_t b) { return wasm_v128_bitselect(a, b, condition); }
// NaN stays NaN.
v128_t at_least(v128_t x, double limit) { return wasm_f32x4_pmax(x, splat(limit)); }
v128_t at_most(v128_t x, double limit) { return wasm_f32x4_pmin(x, splat(limit)); }

// -|x|, but where all derivatives have long reached their limits.
v128_t negative(v128_t x) { return at_least(wasm_f32x4_neg(wasm_f32x4_abs(x)), -64); }

struct Block {
  static constexpr size_t kSize = 64;
  float x[kSize];  // values, then zeros
  float y[kSize];  // what is made of them: in the end derivatives

  void apply(Activation f, const float* parameters = nullptr) { apply_activation(f, parameters, y, kSize); }

  // y = f(x, y).
  template <class F>
  void map(const F& f) {
    for (size_t i = 0; i < kSize; i += 4) wasm_v128_store(y + i, f(wasm_v128_load(x + i), wasm_v128_load(y + i)));
  }
};

// `inside` where x > low, but not x >= high; otherwise `outside`.
void piecewise(Block* block, double low, double high, double inside, double outside) {
  block->map([&](v128_t x, v128_t) {
    const v128_t is_inside = wasm_v128_andnot(wasm_f32x4_gt(x, splat(low)), wasm_f32x4_ge(x, splat(high)));
    return select(is_inside, splat(inside), splat(outside));
  });
}

// c0 + c1 |y| + c2 y^2, of outputs.
void quadratic(Block* block, double c0, double c1, double c2) {
  block->map([&](v128_t, v128_t y) {
    const v128_t a = wasm_f32x4_abs(y);
    return madd(madd(splat(c2), a, splat(c1)), a, splat(c0));
  });
}

// Where x is positive, f(1); else y - f(-Inf), that being the exponential.
void exponential(Block* block, Activation f, const float* parameters) {
  float ends[] = {1, -kInfinity};
  apply_activation(f, parameters, ends, 2);
  block->map([&](v128_t x, v128_t y) {
    return select(wasm_f32x4_gt(x, splat(0)), splat(ends[0]), wasm_f32x4_sub(y, splat(ends[1])));
  });
}

// Of x s(x) with s(-x) = 1 - s(x), the derivative at -x is 1 less that at x, which is computed where it is small.
v128_t reflect(v128_t x, v128_t derivative) {
  return select(wasm_f32x4_gt(x, splat(0)), less_from_1(derivative), derivative);
}

// Of x sigmoid(u) with u = linear x + cubic x^3: s + x s (1 - s) u'.
void gated(Block* block, double linear, double cubic) {
  block->map([&](v128_t x, v128_t) {
    const v128_t a = negative(x);
    return mul(a, madd(mul(a, a), splat(cubic), splat(linear)));
  });
  block->apply(Activation::kSigmoid);
  block->map([&](v128_t x, v128_t s) {
    const v128_t a = negative(x);
    const v128_t slope = madd(mul(a, a), splat(3 * cubic), splat(linear));
    return reflect(x, madd(mul(mul(a, slope), less_from_1(s)), s, s));
  });
}

// Phi(x) + x phi(x); Phi is the activation's output over x, phi the normal distribution's density.
void gelu(Block* block) {
  block->map([](v128_t x, v128_t) { return negative(x); });
  block->apply(Activation::kGelu);
  Block density = *block;
  density.map([](v128_t x, v128_t) { return mul(mul(negative(x), negative(x)), splat(-0.5)); });
  constexpr float kAlpha = 1;
  density.apply(Activation::kElu, &kAlpha);
  for (size_t i = 0; i < Block::kSize; i += 4) {
    const v128_t x = wasm_v128_load(block->x + i);
    const v128_t a = negative(x);
    const v128_t quotient = wasm_f32x4_div(wasm_v128_load(block->y + i), a);
    const v128_t share = select(wasm_f32x4_gt(a, splat(-0x1p-60)), splat(0.5), quotient);
    const v128_t exp = add(wasm_v128_load(density.y + i), splat(1));
    const v128_t slope = mul(a, splat(0.5 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi));
    wasm_v128_store(block->y + i, reflect(x, madd(exp, slope, share)));
  }
}

// With s = sigmoid(x) and q = 1 - s, tanh(log(1 + exp(x))) is (1 - q^2) / (1 + q^2), whose derivative is
// 4 s q^2 / (1 + q^2)^2.
void mish(Block* block) {
  block->map([](v128_t x, v128_t) { return negative(x); });
  block->apply(Activation::kSigmoid);
  block->map([](v128_t x, v128_t smaller) {
    const v128_t is_negative = wasm_f32x4_lt(x, splat(0));
    const v128_t s = select(is_negative, smaller, less_from_1(smaller));
    const v128_t q = select(is_negative, less_from_1(smaller), smaller);
    const v128_t square = mul(q, q);
    const v128_t sum = add(square, splat(1));
    const v128_t bounded = at_least(at_most(x, 64), -64);
    const v128_t terms = madd(mul(bounded, splat(4)), square, mul(add(q, splat(1)), sum));
    return wasm_f32x4_div(mul(s, terms), mul(sum, sum));
  });
}

// 1 + sin(2 alpha x).
void snake(Block* block, double alpha) {
  for (size_t i = 0; i < Block::kSize; ++i) {
    block->y[i] = static_cast<float>(1 + std::sin(2 * alpha * static_cast<double>(block->x[i])));
  }
}

// From values of x and y, which are equal. Corners are those of PyTorch.
void derive(Activation f, const float* parameters, DerivativeOf of, Block* block) {
  const bool of_input = of == DerivativeOf::kInput;
  switch (f) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      return piecewise(block, 0, std::nan(""), 1, 0);
    case Activation::kLeakyRelu:
    case Activation::kPrelu:
      return piecewise(block, 0, std::nan(""), 1, parameters[0]);
    case Activation::kRelu6:
      return piecewise(block, 0, 6, 1, 0);
    case Activation::kHardTanh:
      return piecewise(block, parameters[0], parameters[1], 1, 0);
    case Activation::kHardSigmoid:
      return piecewise(block, of_input ? -3 : 0, of_input ? 3 : 1, 1.0 / 6, 0);
    case Activation::kHardSwish:
      return block->map([](v128_t x, v128_t) {
        const v128_t inner = madd(at_least(x, -4), splat(1.0 / 3), splat(0.5));
        const v128_t upper = select(wasm_f32x4_ge(x, splat(3)), splat(1), inner);
        return select(wasm_f32x4_lt(x, splat(-3)), splat(0), upper);
      });
    case Activation::kElu:
    case Activation::kSelu:
      if (of_input) block->apply(f, parameters);
      return exponential(block, f, parameters);
    case Activation::kTanh:
      if (of_input) block->apply(f);
      return quadratic(block, 1, 0, -1);
    case Activation::kSigmoid:
      if (of_input) block->apply(f);
      return quadratic(block, 0, 1, -1);
    case Activation::kSoftsign:
      if (of_input) block->apply(f);
      return quadratic(block, 1, -2, 1);
    case Activation::kSoftplus:
      block->map([&](v128_t x, v128_t) { return mul(x, splat(parameters[0])); });
      return block->apply(Activation::kSigmoid);
    case Activation::kSilu:
      return gated(block, 1, 0);
    case Activation::kGeluTanh: {
      constexpr double kLinear = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
      return gated(block, kLinear, 0.044715 * kLinear);
    }
    case Activation::kGelu:
      return gelu(block);
    case Activation::kMish:
      return mish(block);
    case Activation::kSnake:
      return snake(block, parameters[0]);
  }
}

}  // namespace

bool has_derivative_of_output(Activation f, const float* parameters) {
  switch (f) {
    case Activation::kLeakyRelu:
    case Activation::kPrelu:
    case Activation::kElu:
      return parameters[0] >= 0;
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kRelu6:
    case Activation::kHardTanh:
    case Activation::kHardSigmoid:
    case Activation::kSelu:
    case Activation::kTanh:
    case Activation::kSigmoid:
    case Activation::kSoftsign:
      return true;
    default:
      return false;
  }
}

void apply_derivative(Activation f, const float* parameters, DerivativeOf of, const float* values, float* gradients,
                      size_t n) {
  if (f == Activation::kNone) return;
  for (size_t done = 0; done < n; done += Block::kSize) {
    const size_t own = std::min(Block::kSize, n - done);
    Block block{};
    std::copy_n(values + done, own, block.x);
    std::copy_n(values + done, own, block.y);
    derive(f, parameters, of, &block);
    block.map([](v128_t x, v128_t y) { return select(wasm_f32x4_eq(x, x), y, x); });
    size_t i = 0;
    for (; i + 4 <= own; i += 4) {
      float* to = gradients + done + i;
      wasm_v128_store(to, mul(wasm_v128_load(to), wasm_v128_load(block.y + i)));
    }
    for (; i < own; ++i) gradients[done + i] *= block.y[i];
  }
}

}  // namespace conv1d
