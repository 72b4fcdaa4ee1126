#include "options/activation.h"

#include <algorithm>
#include <numbers>
#include <type_traits>

#include "simd.h"

// The polynomials and quotients below are minimax fits of relative error, made by Lawson's reweighted least squares on
// function values of 40 digits; their coefficients were then rounded to float32 one at a time (the quotient's: searched
// around the rounded ones), each time refitting those left. No result leans on madd() being fused, nor on its not
// being.
//
// The functions with an exponential are arranged as quotients whose denominator grows with e^|x|, times a power of two
// that keeps the denominator within float32 until the result has left it. So a denormal result is rounded to its few
// bits by one operation, and where the result is too small even for that the denominator is Inf and the quotient an
// exact 0: nothing underflows, which costs x86 CPUs more than a hundred cycles each time.

namespace conv1d {
namespace {

// A constant in memory, once for each lane. V8 13 builds a v128.const where it is used, in loops too, with three
// instructions; a load is one, and none where it is in a register already.
template <typename T>
struct alignas(16) Constants {
  constexpr Constants(T value) { std::ranges::fill(values, value); }
  operator v128_t() const { return wasm_v128_load(values); }
  T values[16 / sizeof(T)];
};
using Constant = Constants<float>;
using IntConstant = Constants<int32_t>;
using DoubleConstant = Constants<double>;

v128_t add(v128_t a, v128_t b) { return wasm_f32x4_add(a, b); }
v128_t sub(v128_t a, v128_t b) { return wasm_f32x4_sub(a, b); }
v128_t mul(v128_t a, v128_t b) { return wasm_f32x4_mul(a, b); }
v128_t div(v128_t a, v128_t b) { return wasm_f32x4_div(a, b); }

// One instruction each, and NaN stays NaN, which it would not with the operands exchanged.
v128_t at_most(v128_t x, v128_t limit) { return wasm_f32x4_pmin(x, limit); }
v128_t at_least(v128_t x, v128_t limit) { return wasm_f32x4_pmax(x, limit); }

constexpr double kLn2 = std::numbers::ln2;
constexpr double kLn2High = 45426.0 / 65536;  // its first 16 bits, of which the last is 0

// y as n * ln(2) / unit + r, with unit * r in [-ln(2) / 2, ln(2) / 2]: exp(unit * y) is exp(unit * r) times 2^n.
struct Octaves {
  // 2^n is scaled by 2^shift. 0 < n + shift + 127 <= 255 is for the caller to see to; 255 makes it Inf.
  constexpr Octaves(double unit, int shift)
      : per_octave{static_cast<float>(unit / kLn2)},
        rounder{0x1.8p23F + static_cast<float>(shift + 127)},
        octave_high{static_cast<float>(-kLn2High / unit)},
        octave_low{static_cast<float>((kLn2High - kLn2) / unit)} {}

  // The last bit of 1.5 * 2^23 is worth 1: adding it rounds to a whole number n, and leaves n + shift + 127 in the low
  // bits of the sum. sub(rounded, rounder) is n, scale(rounded) is 2^(n + shift).
  [[nodiscard]] v128_t rounded(v128_t y) const { return madd(y, per_octave, rounder); }
  [[nodiscard]] static v128_t scale(v128_t rounded) { return wasm_i32x4_shl(rounded, 23); }

  // r. The first product is exact, since octave_high has 15 bits.
  [[nodiscard]] v128_t reduced(v128_t y, v128_t rounded) const {
    const v128_t n = sub(rounded, rounder);
    return madd(n, octave_low, madd(n, octave_high, y));
  }

  Constant per_octave, rounder, octave_high, octave_low;
};

// exp(unit * y), with a polynomial for exp(unit * r).
struct Exp : Octaves {
  constexpr Exp(double unit, int shift)
      : Octaves{unit, shift},
        c1{static_cast<float>(unit)},
        c2{static_cast<float>(0.49999994 * unit * unit)},
        c3{static_cast<float>(0.166665211 * unit * unit * unit)},
        c4{static_cast<float>(0.0416682661 * unit * unit * unit * unit)},
        c5{static_cast<float>(0.00836867746 * unit * unit * unit * unit * unit)},
        c6{static_cast<float>(0.00138207339 * unit * unit * unit * unit * unit * unit)} {}

  // (exp(unit * r) - 1) / r, which leaves an error of 2^-28.2 in exp.
  [[nodiscard]] v128_t slope(v128_t r) const {
    return madd(madd(madd(madd(madd(c6, r, c5), r, c4), r, c3), r, c2), r, c1);
  }

  // exp(unit * y) - 1, when shift is 0.
  [[nodiscard]] v128_t less_1(v128_t y) const {
    const v128_t n = rounded(y);
    const v128_t r = reduced(y, n);
    const v128_t two_to_n = scale(n);
    return madd(mul(slope(r), r), two_to_n, sub(two_to_n, one));
  }

  // exp(unit * y) * 2^shift.
  v128_t operator()(v128_t y) const {
    const v128_t n = rounded(y);
    const v128_t r = reduced(y, n);
    return mul(madd(slope(r), r, one), scale(n));
  }

  Constant c1, c2, c3, c4, c5, c6, one{1.0F};
};

// exp(unit * y) as p / q, which takes fewer operations that wait for each other. exp(r) is (c + r) / (c - r) with
// c = r coth(r / 2), a polynomial of r^2 with an error of 2^-28.7.
struct ExpQuotient : Octaves {
  constexpr ExpQuotient(double unit, int shift)
      : Octaves{unit, shift},
        c0{static_cast<float>(2 / unit)},
        c1{static_cast<float>(0.166666258 * unit)},
        c2{static_cast<float>(-0.00276675604 * unit * unit * unit)} {}

  struct Terms {
    v128_t p, q;  // p scaled by 2^shift
  };
  Terms operator()(v128_t y) const {
    const v128_t n = rounded(y);
    const v128_t r = reduced(add(y, least), n);
    const v128_t square = mul(r, r);
    const v128_t c = madd(madd(c2, square, c1), square, c0);
    return {mul(add(c, r), scale(n)), sub(c, r)};
  }

  Constant c0, c1, c2;
  Constant least{0x1p-30F};  // lost in all y but those whose square would underflow
};

// Four numbers as float64, and what of them is whole and what is left, in [-0.5, 0.5].
struct Doubles {
  static Doubles of(v128_t x) {
    return {wasm_f64x2_promote_low_f32x4(x), wasm_f64x2_promote_low_f32x4(wasm_i32x4_shuffle(x, x, 2, 3, 2, 3))};
  }
  template <typename Function>
  [[nodiscard]] Doubles map(const Function& f) const {
    return {f(low), f(high)};
  }
  // `rounder` is 1.5 * 2^52 and what is to be added to the whole.
  [[nodiscard]] Doubles rounded(v128_t rounder) const {
    return {wasm_f64x2_add(low, rounder), wasm_f64x2_add(high, rounder)};
  }
  [[nodiscard]] v128_t rest(const Doubles& rounded, v128_t rounder) const {
    const v128_t r01 = wasm_f32x4_demote_f64x2_zero(wasm_f64x2_sub(low, wasm_f64x2_sub(rounded.low, rounder)));
    const v128_t r23 = wasm_f32x4_demote_f64x2_zero(wasm_f64x2_sub(high, wasm_f64x2_sub(rounded.high, rounder)));
    return wasm_i32x4_shuffle(r01, r23, 0, 1, 4, 5);
  }
  // 2^whole, of rounded numbers whose rounder adds 127.
  [[nodiscard]] v128_t scale() const { return Exp::scale(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6)); }

  v128_t low, high;
};

struct Relu {
  v128_t operator()(v128_t x) const { return at_least(x, zero); }
  Constant zero{0.0F};
};

struct LeakyRelu {
  v128_t operator()(v128_t x) const { return wasm_v128_bitselect(mul(x, slope), x, wasm_f32x4_lt(x, zero)); }
  Constant slope;
  Constant zero{0.0F};
};

// 1 / (1 + exp(-x)).
struct Sigmoid {
  v128_t operator()(v128_t x) const {
    const auto [p, q] = scaled_exp(at_least(at_most(x, high), low));
    const v128_t scaled_q = mul(q, one);
    return div(scaled_q, add(scaled_q, p));
  }
  Constant high{60.0F};   // where the result has long been 1
  Constant low{-105.5F};  // exp is Inf
  ExpQuotient scaled_exp{-1.0, -24};
  Constant one{0x1p-24F};
};

// x / (1 + exp(-x)), as max(x, 0) - |x| / (1 + exp(|x|)).
struct Silu {
  v128_t operator()(v128_t x) const {
    const v128_t a = at_most(wasm_f32x4_abs(x), high);
    const auto [p, q] = scaled_exp(a);
    const v128_t quotient = div(mul(a, q), madd(q, one, p));
    return sub(at_least(x, zero), mul(quotient, one));
  }
  Constant high{109.5F};  // exp is Inf
  ExpQuotient scaled_exp{1.0, -30};
  Constant one{0x1p-30F};
  Constant zero{-0.0F};  // negative results stay so when they round to 0
};

// 2t / (1 + t^2) with t = tanh(x / 2) = x P(x^2) / Q(x^2), in one quotient. The closer |t| is to 1, the less of its
// error is left; of what is left, P and Q have 2^-26.9, fitted on [0, 9.1]. Q(0) is 1.8 because rounding errors are
// smallest just below a power of two, as that of its square is, too.
struct Tanh {
  v128_t operator()(v128_t x) const {
    const v128_t y = at_least(at_most(x, high), low);
    const v128_t root = add(y, least);
    const v128_t square = mul(root, root);
    const v128_t p = mul(y, madd(madd(p2, square, p1), square, p0));
    const v128_t q = madd(madd(madd(q3, square, q2), square, q1), square, q0);
    return at_least(at_most(div(mul(add(p, p), q), madd(p, p, mul(q, q))), one), minus_one);
  }
  Constant high{9.0625F}, low{-9.0625F};  // where tanh has been 1 and -1 before, and the quotient rounds to that
  // Lost in all x but those whose square would underflow, or is lost itself beside the first terms.
  Constant least{0x1p-38F};
  static constexpr float kScale = 0x1p58F;  // the square of p does not underflow, that of q does not overflow
  Constant p0{0.899999976F * kScale}, p1{0.0267943572F * kScale}, p2{0.000102784259F * kScale};
  Constant q0{1.79999995F * kScale}, q1{0.20358865F * kScale}, q2{0.00217135693F * kScale};
  Constant q3{2.21035543e-6F * kScale};
  Constant one{1.0F}, minus_one{-1.0F};
};

// x * Phi(x) for the normal distribution's Phi(x) = erfc(-x / sqrt 2) / 2, as max(x, 0) - |x| Phi(-|x|). The second
// term keeps its relative accuracy as |x| / (exp(x^2 / 2) S(|x|)), where S(a) = exp(-a^2 / 2) / Phi(-a) is nearly
// straight: it goes from 2 to sqrt(2 pi) a. S(a) = 2 + a (k - P(a) / Q(a)) was fitted on [0, 14.4], with an error of
// 2^-27 S.
struct Gelu {
  v128_t operator()(v128_t x) const {
    const v128_t a = at_most(wasm_f32x4_abs(x), high);
    // exp needs more of b^2 than a float32 holds: the square of b's upper 12 bits is exact, and the rest is small.
    const v128_t b = at_least(a, low);
    const v128_t square = mul(b, b);
    const v128_t b_high = wasm_v128_and(b, upper_bits);
    const v128_t square_low = mul(sub(b, b_high), add(b, b_high));
    const v128_t n = exp.rounded(square);
    const v128_t r = add(exp.reduced(mul(b_high, b_high), n), square_low);
    const v128_t exp_less_1 = mul(exp.slope(r), r);

    // Pairs of terms: fewer roundings, one upon the other, than by Horner's rule.
    const v128_t p = madd(square, madd(p3, b, p2), madd(p1, b, p0));
    const v128_t q = madd(square, madd(square, q4, madd(q3, b, q2)), madd(q1, b, exp.one));
    const v128_t s_less_2 = mul(b, sub(k, div(p, q)));
    // S exp(r), with 2 added last: s_less_2 has not been rounded to the last bit of 2 before.
    const v128_t product = add(madd(exp_less_1, add(s_less_2, two), s_less_2), two);
    return sub(at_least(x, zero), mul(div(a, mul(product, Exp::scale(n))), one));
  }
  Constant high{15.0F};    // product * scale is Inf
  Constant low{0x1p-30F};  // S exp(r) has long been 2, and the square does not underflow
  IntConstant upper_bits{-0x1000};
  Exp exp{0.5, -35};
  Constant one{0x1p-35F};
  Constant p0{0.910829961F}, p1{0.524996519F}, p2{0.142053708F}, p3{0.0164149627F};
  Constant q1{0.876374245F}, q2{0.36625731F}, q3{0.0811791569F}, q4{0.00821501762F};
  Constant k{2.50659966F};
  Constant two{2.0F};
  Constant zero{-0.0F};
};

// x / 2 * (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + exp(-2u)), as
// max(x, 0) - |x| / (1 + exp(2|u|)). 2u has more bits than a float32; in float64 it is reduced as is.
struct GeluTanh {
  v128_t operator()(v128_t x) const {
    const v128_t a = at_most(wasm_f32x4_abs(x), high);
    const Doubles y = Doubles::of(a).map([this](v128_t half) { return octaves(half); });
    const Doubles n = y.rounded(rounder);
    const v128_t r = y.rest(n, rounder);
    const v128_t scaled_exp = mul(madd(exp2.slope(r), r, exp2.one), n.scale());
    return sub(at_least(x, zero), mul(div(a, add(one, scaled_exp)), one));
  }
  // 2u / ln(2) of a float64 x.
  [[nodiscard]] v128_t octaves(v128_t x) const {
    return wasm_f64x2_mul(x, wasm_f64x2_add(wasm_f64x2_mul(wasm_f64x2_mul(x, x), cubic), linear));
  }
  Constant high{10.8125F};  // exp is Inf
  static constexpr double kLinear = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi / kLn2;
  DoubleConstant linear{kLinear};
  DoubleConstant cubic{0.044715 * kLinear};
  DoubleConstant rounder{0x1.8p52 - 27 + 127};
  Exp exp2{kLn2, 0};
  Constant one{0x1p-27F};
  Constant zero{-0.0F};
};

// x between two limits.
struct Clamp {
  v128_t operator()(v128_t x) const { return at_most(at_least(x, low), high); }
  Constant low, high;
};

// x / (1 + |x|).
struct Softsign {
  v128_t operator()(v128_t x) const {
    const v128_t y = at_most(at_least(x, least), most);
    return div(y, add(one, wasm_f32x4_abs(y)));
  }
  Constant most{0x1.fffffeP127F}, least{-0x1.fffffeP127F};  // instead of Inf / Inf
  Constant one{1.0F};
};

// Of SELU, which keeps means and variances (Klambauer et al., Self-normalizing neural networks, 2017).
constexpr double kSeluScale = 1.0507009873554804934;
constexpr double kSeluAlpha = 1.6732632423543772848;

// (x + 3) / 6 between 0 and 1.
struct HardSigmoid {
  v128_t operator()(v128_t x) const { return mul(at_most(at_least(add(x, three), zero), six), sixth); }
  Constant three{3.0F}, zero{0.0F}, six{6.0F}, sixth{1.0F / 6};
};

// x * HardSigmoid(x).
struct HardSwish {
  v128_t operator()(v128_t x) const { return mul(at_least(x, least), gate(x)); }
  Constant least{-3.0F};  // instead of -Inf * 0
  HardSigmoid gate;
};

// slope * x where x is positive, alpha * (exp(x) - 1) where it is negative.
struct Elu {
  v128_t operator()(v128_t x) const {
    const v128_t m = exp.less_1(at_most(at_least(x, low), zero));
    return wasm_v128_bitselect(mul(m, alpha), mul(x, slope), wasm_f32x4_lt(x, zero));
  }
  Constant slope, alpha;
  Constant low{-20.0F};  // where exp(x) - 1 has long been -1
  Exp exp{1.0, 0};
  Constant zero{0.0F};
};

// log(1 + exp(beta x)) / beta, as max(x, 0) + log(1 + e) / beta with e = exp(-beta |x|). The logarithm is 2 atanh(s)
// with s = e / (2 + e), which is s P(s^2); P was fitted on [0, 1/9], with an error of 2^-27.7. -beta |x| has more bits
// than a float32.
struct Softplus {
  explicit Softplus(float b) : octaves{-b / kLn2}, beta{b}, two_betas{2 * b} {}
  v128_t operator()(v128_t x) const {
    const Doubles y = Doubles::of(wasm_f32x4_abs(x)).map([this](v128_t half) {
      return wasm_f64x2_pmax(wasm_f64x2_mul(half, octaves), low);
    });
    const Doubles n = y.rounded(rounder);
    const v128_t r = y.rest(n, rounder);
    const v128_t scaled_e = mul(madd(exp2.slope(r), r, exp2.one), n.scale());
    const v128_t e = mul(at_least(scaled_e, least), scale);
    const v128_t s = div(e, add(e, c0));
    const v128_t z = mul(s, s);
    const v128_t p = madd(madd(madd(madd(c4, z, c3), z, c2), z, c1), z, c0);
    return add(at_least(x, zero), mul(mul(scaled_e, div(p, madd(e, beta, two_betas))), scale));
  }
  DoubleConstant octaves;
  Constant beta, two_betas;
  DoubleConstant low{-187};  // exp2 is 0
  DoubleConstant rounder{0x1.8p52 + 60 + 127};
  Exp exp2{kLn2, 0};
  Constant scale{0x1p-60F};
  Constant least{0x1p20F};  // where e has long been lost beside 2, and does not underflow
  Constant c0{2.0F}, c1{0.666664183F}, c2{0.400214344F}, c3{0.280030966F}, c4{0.280063719F};
  Constant zero{0.0F};
};

// x tanh(log(1 + exp(x))). With e = exp(-|x|) and m = e (e + 1), x is multiplied by e (1 - m / (m + e + 2)) where it is
// negative; where it is positive, e 2e / (2m + 1) of it is taken away.
struct Mish {
  v128_t operator()(v128_t x) const {
    const v128_t a = at_most(wasm_f32x4_abs(x), high);
    const v128_t negative = wasm_f32x4_lt(x, zero);
    const v128_t scaled_e = scaled_exp(a);
    const v128_t e = mul(at_least(scaled_e, least), scale);
    const v128_t m = mul(e, add(e, scaled_exp.one));
    const v128_t p = wasm_v128_bitselect(m, add(e, e), negative);
    const v128_t q = wasm_v128_bitselect(add(m, add(e, two)), add(add(m, m), scaled_exp.one), negative);
    const v128_t quotient = div(p, q);
    const v128_t share = wasm_v128_bitselect(sub(scaled_exp.one, quotient), quotient, negative);
    return sub(at_least(x, zero), mul(mul(mul(a, scaled_e), share), scale));
  }
  Constant high{110.2F};  // exp is 0
  Exp scaled_exp{-1.0, 32};
  Constant scale{0x1p-32F};
  Constant least{0x1p-8F};  // where e has long been lost beside 1, and does not underflow
  Constant two{2.0F};
  Constant zero{-0.0F};
};

// x + sin(alpha x)^2 / alpha. With f = alpha x / pi less a whole number, the square is f^2 P(f^2); P was fitted on
// [0, 1/4], with an error of 2^-25.1.
struct Snake {
  explicit Snake(float a) : half_turns{a / std::numbers::pi}, alpha{a} {}
  v128_t operator()(v128_t x) const {
    const Doubles y = Doubles::of(x).map([this](v128_t half) {
      return wasm_f64x2_pmin(wasm_f64x2_pmax(wasm_f64x2_mul(half, half_turns), least), most);
    });
    const v128_t f = y.rest(y.rounded(rounder), rounder);
    const v128_t z = mul(f, f);
    const v128_t p = madd(madd(madd(madd(madd(c5, z, c4), z, c3), z, c2), z, c1), z, c0);
    return add(x, div(mul(z, p), alpha));
  }
  DoubleConstant half_turns;
  Constant alpha;
  DoubleConstant least{-0x1p30}, most{0x1p30};  // where the square is long lost beside alpha x
  DoubleConstant rounder{0x1.8p52};
  Constant c0{9.86960411F}, c1{-32.469635F}, c2{42.7260742F}, c3{-30.0890636F}, c4{12.9937277F}, c5{-3.26657677F};
};

// A function whose constants the compiler does not know, or it would make them v128.const again.
template <typename Function>
const Function& hidden(const Function& function) {
  const Function* f = &function;
  asm("" : "+r"(f) : : "memory");
  return *f;
}

// Constants stay in registers throughout the loop, unless there are far too many.
template <typename Function>
using Held = std::conditional_t<(sizeof(Function) > 20 * sizeof(Constant)), const Function&, const Function>;

template <typename Function>
void apply(const Function& function, float* values, size_t n) {
  Held<Function> f = function;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const v128_t y0 = f(wasm_v128_load(values + i));
    const v128_t y1 = f(wasm_v128_load(values + i + 4));
    wasm_v128_store(values + i, y0);
    wasm_v128_store(values + i + 4, y1);
  }
  for (; i < n; i += 4) store_some(values + i, n - i, f(load_some(values + i, n - i)));
}

// The same, one vector at a time: a small part of the code that apply() makes.
template <typename Function>
[[gnu::noinline]] void apply_in_short(const Function& f, float* values, size_t n) {
  for (size_t i = 0; i < n; i += 4) store_some(values + i, n - i, f(load_some(values + i, n - i)));
}

constexpr Relu kRelu;
constexpr Sigmoid kSigmoid;
constexpr Silu kSilu;
constexpr Tanh kTanh;
constexpr Gelu kGelu;
constexpr GeluTanh kGeluTanh;
constexpr Softsign kSoftsign;
constexpr HardSigmoid kHardSigmoid;
constexpr HardSwish kHardSwish;
constexpr Mish kMish;

}  // namespace

void apply_activation(Activation f, const float* parameters, float* values, size_t n) {
  switch (f) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      return apply(hidden(kRelu), values, n);
    case Activation::kLeakyRelu:
    case Activation::kPrelu:
      return apply(LeakyRelu{.slope = {parameters[0]}}, values, n);
    case Activation::kGelu:
      return apply(hidden(kGelu), values, n);
    case Activation::kGeluTanh:
      return apply(hidden(kGeluTanh), values, n);
    case Activation::kSilu:
      return apply(hidden(kSilu), values, n);
    case Activation::kTanh:
      return apply(hidden(kTanh), values, n);
    case Activation::kSigmoid:
      return apply(hidden(kSigmoid), values, n);
    case Activation::kElu:
      return apply_in_short(Elu{.slope = {1}, .alpha = {parameters[0]}}, values, n);
    case Activation::kSelu:
      return apply_in_short(
          Elu{.slope = {static_cast<float>(kSeluScale)}, .alpha = {static_cast<float>(kSeluScale * kSeluAlpha)}},
          values, n);
    case Activation::kSoftplus:
      return apply_in_short(Softplus(parameters[0]), values, n);
    case Activation::kSoftsign:
      return apply_in_short(hidden(kSoftsign), values, n);
    case Activation::kHardTanh:
      return apply_in_short(Clamp{.low = {parameters[0]}, .high = {parameters[1]}}, values, n);
    case Activation::kHardSigmoid:
      return apply_in_short(hidden(kHardSigmoid), values, n);
    case Activation::kHardSwish:
      return apply_in_short(hidden(kHardSwish), values, n);
    case Activation::kMish:
      return apply_in_short(hidden(kMish), values, n);
    case Activation::kSnake:
      return apply_in_short(Snake(parameters[0]), values, n);
    case Activation::kRelu6:
      return apply_in_short(Clamp{.low = {0}, .high = {6}}, values, n);
  }
}

}  // namespace conv1d
