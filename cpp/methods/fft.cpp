#include "methods/fft.h"

#include <cmath>
#include <cstddef>
#include <numbers>

#include "methods/complex4.h"

namespace conv1d {
namespace {

// Complex numbers of a factor that stays in the L1 cache while it is split to the end.
constexpr int32_t kInCache = 2048;

// The square root of i is kRoot + i * kRoot.
constexpr float kRoot = std::numbers::sqrt2_v<float> / 2;

// Splits z^4 = w^2 into z = v, -v, i * v and -i * v, v * v = w: four polynomials at once.
inline void split(Complex4 (&x)[4], Complex4 w, Complex4 v) {
  const Complex4 c = x[2] * w;
  const Complex4 d = x[3] * w;
  const Complex4 upper = (x[1] + d) * v;
  const Complex4 lower = (x[1] - d) * v;
  const Complex4 a = x[0] + c;
  const Complex4 b = x[0] - c;
  x[0] = a + upper;
  x[1] = a - upper;
  x[2] = add_i(b, lower);
  x[3] = subtract_i(b, lower);
}

// The other way, four times as large.
inline void join(Complex4 (&x)[4], Complex4 w, Complex4 v) {
  const Complex4 a = x[0] + x[1];
  const Complex4 upper = unturn(x[0] - x[1], v);
  const Complex4 b = x[2] + x[3];
  const Complex4 turned = unturn(x[2] - x[3], v);  // i times too much
  x[0] = a + b;
  x[2] = unturn(a - b, w);
  x[1] = subtract_i(upper, turned);
  x[3] = unturn(add_i(upper, turned), w);
}

inline void transpose(v128_t& a, v128_t& b, v128_t& c, v128_t& d) {
  const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5);
  const v128_t ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5);
  const v128_t cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  a = wasm_i64x2_shuffle(ab_low, cd_low, 0, 2);
  b = wasm_i64x2_shuffle(ab_low, cd_low, 1, 3);
  c = wasm_i64x2_shuffle(ab_high, cd_high, 0, 2);
  d = wasm_i64x2_shuffle(ab_high, cd_high, 1, 3);
}

inline void transpose(Complex4 (&x)[4]) {
  transpose(x[0].re, x[1].re, x[2].re, x[3].re);
  transpose(x[0].im, x[1].im, x[2].im, x[3].im);
}

inline void load4(Complex4 (&x)[4], const float* re, const float* im, ptrdiff_t step) {
  for (ptrdiff_t i = 0; i < 4; ++i) x[i] = load(re + i * step, im + i * step);
}
inline void store4(float* re, float* im, ptrdiff_t step, const Complex4 (&x)[4]) {
  for (ptrdiff_t i = 0; i < 4; ++i) store(re + i * step, im + i * step, x[i]);
}

// Where factor `i` of a level has its twiddles.
inline const float* twiddles_of(const float* twiddles, int32_t i) {
  return twiddles + static_cast<ptrdiff_t>(i / 4) * 16 + i % 4;
}

// Splits z^(2 * length) = i in two, or joins them.
template <bool kForward>
void halve(float* re, float* im, int32_t length) {
  const Complex4 w{wasm_f32x4_splat(kRoot), wasm_f32x4_splat(kRoot)};
  for (int32_t j = 0; j < length; j += 4) {
    const Complex4 a = load(re + j, im + j);
    Complex4 b = load(re + length + j, im + length + j);
    if (kForward) b = b * w;
    store(re + j, im + j, a + b);
    store(re + length + j, im + length + j, kForward ? a - b : unturn(a - b, w));
  }
}

// Factors `first` to `first` + n of a level, each of `length` >= 16 numbers.
template <bool kForward>
void pass(float* re, float* im, int32_t length, int32_t n, const float* twiddles, int32_t first) {
  const int32_t quarter = length / 4;
  for (int32_t i = first; i < first + n; ++i, re += length, im += length) {
    const float* own = twiddles_of(twiddles, i);
    const Complex4 w = splat(own, own + 4);
    const Complex4 v = splat(own + 8, own + 12);
    for (int32_t j = 0; j < quarter; j += 4) {
      Complex4 x[4];
      load4(x, re + j, im + j, quarter);
      kForward ? split(x, w, v) : join(x, w, v);
      store4(re + j, im + j, quarter, x);
    }
  }
}

// `length` / 4 factors of 4 numbers: their values, or back from those.
template <bool kForward>
void last_pass(float* re, float* im, int32_t length, const float* twiddles) {
  for (int32_t j = 0; j < length; j += 16, twiddles += 16) {
    const Complex4 w = load(twiddles, twiddles + 4);
    const Complex4 v = load(twiddles + 8, twiddles + 12);
    Complex4 x[4];
    load4(x, re + j, im + j, 4);
    if (kForward) {
      transpose(x);
      split(x, w, v);
    } else {
      join(x, w, v);
      transpose(x);
    }
    store4(re + j, im + j, 4, x);
  }
}

}  // namespace

bool Fft::prepare(int32_t size) {
  if (size == size_) return true;
  const int32_t length = size / 2;
  size_t floats = 0;
  int doublings = 0;
  while (length >> doublings > 1) ++doublings;
  const int first = doublings % 2;
  for (int l = first; l < doublings; l += 2) floats += size_t{l < 2 ? 16U : 4U << l};
  if (!twiddles_.reserve(floats)) return false;

  constexpr double kPi = std::numbers::pi;
  size_ = size;
  levels_ = 0;
  float* twiddles = twiddles_.data();
  for (int l = first; l < doublings; l += 2) {
    const int32_t blocks = 1 << l;
    level_[levels_++] = {twiddles, blocks};
    for (int32_t i = 0; i < blocks; ++i) {
      // Factor i of level l is z^m = e^(i * angle); from above, the angle halves, and is pi more in every second.
      double angle = kPi / 2;
      for (int bit = l - 1; bit >= 0; --bit) angle = angle / 2 + ((i >> bit & 1) != 0 ? kPi : 0);
      float* own = twiddles + static_cast<ptrdiff_t>(i / 4) * 16 + i % 4;
      own[0] = static_cast<float>(std::cos(angle / 2));
      own[4] = static_cast<float>(std::sin(angle / 2));
      own[8] = static_cast<float>(std::cos(angle / 4));
      own[12] = static_cast<float>(std::sin(angle / 4));
    }
    twiddles += l < 2 ? 16 : 4 << l;
  }
  return true;
}

template <bool kForward>
void Fft::run(float* block) const {
  int32_t length = size_ / 2;
  if (level_[0].blocks == 1) return run_factor<kForward>(0, 0, length, block);
  length /= 2;
  float* im = block + size_ / 2;
  if (kForward) halve<true>(block, im, length);
  run_factor<kForward>(0, 0, length, block);
  run_factor<kForward>(0, 1, length, block + length);
  if (!kForward) halve<false>(block, im, length);
}

template <bool kForward>
// NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels that no cache holds
void Fft::run_factor(int level, int32_t first, int32_t length, float* re) const {
  float* im = re + size_ / 2;
  // Factors `first` * n to `first` * n + n of a level fill this one.
  const auto pass_all = [&](int at_level, int32_t n) {
    pass<kForward>(re, im, length / n, n, level_[at_level].twiddles, first * n);
  };
  if (length > kInCache) {
    const int32_t quarter = length / 4;
    if (kForward) pass_all(level, 1);
    for (int32_t i = 0; i < 4; ++i) {
      run_factor<kForward>(level + 1, 4 * first + i, quarter, re + ptrdiff_t{i} * quarter);
    }
    if (!kForward) pass_all(level, 1);
    return;
  }
  const int top = level;
  int32_t n = 1;
  for (; length / n > 4; n *= 4, ++level) {
    if (kForward) pass_all(level, n);
  }
  last_pass<kForward>(re, im, length, level_[level].twiddles + static_cast<ptrdiff_t>(first) * n * 4);
  while (!kForward && level-- > top) pass_all(level, n /= 4);
}

void Fft::forward(float* block) const { run<true>(block); }
void Fft::inverse(float* block) const { run<false>(block); }

}  // namespace conv1d
