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

// Values that are worked on at once, and the gradients that are multiplied by their derivatives.
struct Block {
  static constexpr size_t kSize = 256;

  const float* x;
  float* gradients;
  size_t n;  // whole vectors

  // to[i] = f(row[i]...).
  template <class F, class... Rows>
  void map(float* to, const F& f, const Rows*... rows) const {
    for (size_t i = 0; i < n; i += 4) wasm_v128_store(to + i, f(wasm_v128_load(rows + i)...));
  }

  // gradients[i] *= f(x[i], row[i]...), or NaN where x is.
  template <class F, class... Rows>
  void multiply(const F& f, const Rows*... rows) const {
    map(
        gradients,
        [&](v128_t own, v128_t value, auto... others) {
          return mul(own, select(wasm_f32x4_eq(value, value), f(value, others...), value));
        },
        gradients, x, rows...);
  }
};

// What a function of the table gives for something made of x.
struct Applied {
  float values[Block::kSize];

  template <class F>
  Applied(const Block& block, const F& argument, Activation f, const float* parameters = nullptr) {
    block.map(values, argument, block.x);
    apply_activation(f, parameters, values, block.n);
  }
};

// `inside` where x > low, but not x >= high; otherwise `outside`.
void piecewise(const Block& block, double low, double high, double inside, double outside) {
  block.multiply([&](v128_t x) {
    const v128_t is_inside = wasm_v128_andnot(wasm_f32x4_gt(x, splat(low)), wasm_f32x4_ge(x, splat(high)));
    return select(is_inside, splat(inside), splat(outside));
  });
}

// c0 + c1 |y| + c2 y^2, of outputs.
void quadratic(const Block& block, const float* outputs, double c0, double c1, double c2) {
  block.multiply(
      [&](v128_t /*x*/, v128_t y) {
        const v128_t a = wasm_f32x4_abs(y);
        return madd(madd(splat(c2), a, splat(c1)), a, splat(c0));
      },
      outputs);
}

// Where x, or an output, is positive, f(1); else the output less f(-Inf), that being the exponential.
void exponential(const Block& block, const float* outputs, Activation f, const float* parameters) {
  float ends[] = {1, -kInfinity};
  apply_activation(f, parameters, ends, 2);
  block.multiply(
      [&](v128_t x, v128_t y) {
        return select(wasm_f32x4_gt(x, splat(0)), splat(ends[0]), wasm_f32x4_sub(y, splat(ends[1])));
      },
      outputs);
}

// Of those whose outputs say it all.
void derive_output(Activation f, const float* parameters, const Block& block, const float* outputs) {
  if (f == Activation::kTanh) return quadratic(block, outputs, 1, 0, -1);
  if (f == Activation::kSigmoid) return quadratic(block, outputs, 0, 1, -1);
  if (f == Activation::kSoftsign) return quadratic(block, outputs, 1, -2, 1);
  exponential(block, outputs, f, parameters);
}

// Of x s(x) with s(-x) = 1 - s(x), the derivative at -x is 1 less that at x, which is computed where it is small.
v128_t reflect(v128_t x, v128_t derivative) {
  return select(wasm_f32x4_gt(x, splat(0)), less_from_1(derivative), derivative);
}

// Of x sigmoid(u) with u = linear x + cubic x^3: s + x s (1 - s) u'.
void gated(const Block& block, double linear, double cubic) {
  const auto argument = [&](v128_t x) {
    const v128_t a = negative(x);
    return mul(a, madd(mul(a, a), splat(cubic), splat(linear)));
  };
  const Applied sigmoid(block, argument, Activation::kSigmoid);
  block.multiply(
      [&](v128_t x, v128_t s) {
        const v128_t a = negative(x);
        const v128_t slope = madd(mul(a, a), splat(3 * cubic), splat(linear));
        return reflect(x, madd(mul(mul(a, slope), less_from_1(s)), s, s));
      },
      sigmoid.values);
}

// Phi(x) + x phi(x); Phi is the activation's output over x, phi the normal distribution's density.
void gelu(const Block& block) {
  constexpr float kAlpha = 1;
  const Applied output(block, negative, Activation::kGelu);
  const auto exponent = [](v128_t x) { return mul(mul(negative(x), negative(x)), splat(-0.5)); };
  const Applied exp_less_1(block, exponent, Activation::kElu, &kAlpha);
  block.multiply(
      [](v128_t x, v128_t y, v128_t less) {
        const v128_t a = negative(x);
        const v128_t share = select(wasm_f32x4_gt(a, splat(-0x1p-60)), splat(0.5), wasm_f32x4_div(y, a));
        const v128_t slope = mul(a, splat(0.5 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi));
        return reflect(x, madd(add(less, splat(1)), slope, share));
      },
      output.values, exp_less_1.values);
}

// With s = sigmoid(x) and q = 1 - s, tanh(log(1 + exp(x))) is (1 - q^2) / (1 + q^2), whose derivative is
// 4 s q^2 / (1 + q^2)^2.
void mish(const Block& block) {
  const Applied sigmoid(block, negative, Activation::kSigmoid);
  block.multiply(
      [](v128_t x, v128_t smaller) {
        const v128_t is_negative = wasm_f32x4_lt(x, splat(0));
        const v128_t s = select(is_negative, smaller, less_from_1(smaller));
        const v128_t q = select(is_negative, less_from_1(smaller), smaller);
        const v128_t square = mul(q, q);
        const v128_t sum = add(square, splat(1));
        const v128_t bounded = at_least(at_most(x, 64), -64);
        const v128_t terms = madd(mul(bounded, splat(4)), square, mul(add(q, splat(1)), sum));
        return wasm_f32x4_div(mul(s, terms), mul(sum, sum));
      },
      sigmoid.values);
}

// From 0 to 1 in a straight line between -3 and 3, times x.
void hard_swish(const Block& block) {
  block.multiply([](v128_t x) {
    const v128_t inner = madd(at_least(x, -4), splat(1.0 / 3), splat(0.5));
    const v128_t upper = select(wasm_f32x4_ge(x, splat(3)), splat(1), inner);
    return select(wasm_f32x4_lt(x, splat(-3)), splat(0), upper);
  });
}

void softplus(const Block& block, double beta) {
  const Applied sigmoid(block, [&](v128_t x) { return mul(x, splat(beta)); }, Activation::kSigmoid);
  block.multiply([](v128_t, v128_t s) { return s; }, sigmoid.values);
}

// 1 + sin(2 alpha x).
void snake(const Block& block, double alpha) {
  for (size_t i = 0; i < block.n; ++i) {
    block.gradients[i] *= static_cast<float>(1 + std::sin(2 * alpha * static_cast<double>(block.x[i])));
  }
}

// Of what is given as `of` says. Corners are those of PyTorch.
void derive(Activation f, const float* parameters, DerivativeOf of, const Block& block) {
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
      return hard_swish(block);
    case Activation::kSoftplus:
      return softplus(block, parameters[0]);
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
    default:
      break;
  }
  if (!of_input) return derive_output(f, parameters, block, block.x);
  const Applied output(block, [](v128_t x) { return x; }, f, parameters);
  derive_output(f, parameters, block, output.values);
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
  const size_t whole = n / 4 * 4;
  for (size_t done = 0; done < whole; done += Block::kSize) {
    derive(f, parameters, of, {values + done, gradients + done, std::min(Block::kSize, whole - done)});
  }
  if (whole == n) return;
  float x[4] = {};
  float own[4] = {};
  std::copy_n(values + whole, n - whole, x);
  std::copy_n(gradients + whole, n - whole, own);
  derive(f, parameters, of, {x, own, 4});
  std::copy_n(own, n - whole, gradients + whole);
}

}  // namespace conv1d
