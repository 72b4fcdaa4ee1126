#include "kernels/toom_cook_f32.h"

#include <array>

#include "simd.h"

namespace conv1d {
namespace {

// kPairs points +a, -a in this order, then 0 if kZero, then infinity.
template <size_t kPairs, bool kZero>
struct Points {
  static constexpr size_t kCount = 2 * kPairs + (kZero ? 1 : 0) + 1;
  static constexpr size_t kTaps = kCount - 3;

  std::array<double, kPairs> at;

  // The product of all (y - a^2), y = x^2, without pair `left_out` if that is one: its coefficients, constant first.
  constexpr std::array<double, kPairs + 1> even_product(size_t left_out) const {
    std::array<double, kPairs + 1> product{1};
    for (size_t j = 0; j < kPairs; ++j) {
      if (j == left_out) continue;
      for (size_t k = kPairs; k > 0; --k) product[k] = product[k - 1] - at[j] * at[j] * product[k];
      product[0] *= -at[j] * at[j];
    }
    return product;
  }

  // f_p(a_p) at +a of a pair; at -a it is the same times -1, twice where 0 is a point.
  constexpr double derivative(size_t pair) const {
    double product = 2 * at[pair] * (kZero ? at[pair] : 1);
    for (size_t j = 0; j < kPairs; ++j) {
      if (j != pair) product *= at[pair] * at[pair] - at[j] * at[j];
    }
    return product;
  }
};

constexpr Points<2, false> kPoints2{{0.5, 1.25}};
constexpr Points<2, true> kPoints3{{0.875, 1.75}};
constexpr Points<3, false> kPoints4{{0.375, 0.875, 1.75}};
constexpr Points<3, true> kPoints5{{0.5, 1, 2}};

v128_t splat(double value) { return wasm_f32x4_splat(static_cast<float>(value)); }

// sum over k < count: coefficients[k] x[2 k]; the last coefficient is 1.
template <size_t kCount, size_t kSize>
__attribute__((always_inline)) inline v128_t every_other(const std::array<double, kSize>& coefficients,
                                                         const v128_t* x) {
  v128_t sum = x[2 * (kCount - 1)];
#pragma GCC unroll 4
  for (size_t k = 0; k + 1 < kCount; ++k) sum = madd(splat(coefficients[k]), x[2 * k], sum);
  return sum;
}

template <const auto& kPoints, size_t kPairs, bool kZero>
__attribute__((always_inline)) inline void input_points(const Points<kPairs, kZero>&, const v128_t* x, float* points,
                                                        size_t stride) {
  constexpr size_t kShift = kZero ? 1 : 0;
#pragma GCC unroll 4
  for (size_t pair = 0; pair < kPairs; ++pair) {
    const auto others = kPoints.even_product(pair);
    const v128_t low = every_other<kPairs>(others, x + kShift);
    const v128_t high = every_other<kPairs>(others, x + kShift + 1);
    const v128_t a = splat(kPoints.at[pair]);
    wasm_v128_store(points + 2 * pair * stride, madd(a, low, high));
    wasm_v128_store(points + (2 * pair + 1) * stride, madd(splat(-kPoints.at[pair]), low, high));
  }
  const auto all = kPoints.even_product(kPairs);
  if constexpr (kZero) wasm_v128_store(points + 2 * kPairs * stride, every_other<kPairs + 1>(all, x));
  wasm_v128_store(points + (2 * kPairs + kShift) * stride, every_other<kPairs + 1>(all, x + kShift));
}

template <const auto& kPoints>
void transform_input(const ToomInput& input) {
  constexpr size_t kCount = kPoints.kCount;
  for (int32_t l = 0; l < input.count; l += 4) {
    v128_t x[kCount];
#pragma GCC unroll 8
    for (size_t k = 0; k < kCount; ++k) {
      x[k] = wasm_v128_load(input.rows + k % 4 * input.row_stride + k / 4 * static_cast<size_t>(input.next) + l);
    }
    input_points<kPoints>(kPoints, x, input.points + l, input.point_stride);
#pragma GCC unroll 4
    for (size_t a = 0; a < kToomOutputs; ++a) {
      float* sums = input.magnitudes + a * input.row_stride + l;
      wasm_v128_store(sums, wasm_f32x4_add(wasm_f32x4_abs(x[a]), wasm_v128_load(sums)));
    }
  }
}

template <const auto& kPoints, size_t kPairs, bool kZero>
__attribute__((always_inline)) inline void interpolate(const Points<kPairs, kZero>&, const float* points, size_t stride,
                                                       v128_t* y) {
#pragma GCC unroll 4
  for (size_t pair = 0; pair < kPairs; ++pair) {
    const v128_t plus = wasm_v128_load(points + 2 * pair * stride);
    const v128_t minus = wasm_v128_load(points + (2 * pair + 1) * stride);
    const v128_t even = wasm_f32x4_add(plus, minus);
    const v128_t odd = wasm_f32x4_sub(plus, minus);
    const double a = kPoints.at[pair];
    y[0] = wasm_f32x4_add(y[0], even);
    y[1] = madd(splat(a), odd, y[1]);
    y[2] = madd(splat(a * a), even, y[2]);
    y[3] = madd(splat(a * a * a), odd, y[3]);
  }
  if constexpr (kZero) y[0] = wasm_f32x4_add(y[0], wasm_v128_load(points + 2 * kPairs * stride));
  y[3] = wasm_f32x4_add(y[3], wasm_v128_load(points + (2 * kPairs + (kZero ? 1 : 0)) * stride));
}

template <const auto& kPoints>
void transform_output(const ToomOutput& output) {
  for (int32_t l = 0; l < output.count; l += 4) {
    float* row = output.rows + l;
    v128_t y[kToomOutputs];
#pragma GCC unroll 4
    for (size_t i = 0; i < kToomOutputs; ++i) y[i] = wasm_v128_load(row + i * output.row_stride);
    interpolate<kPoints>(kPoints, output.points + l, output.point_stride, y);
#pragma GCC unroll 4
    for (size_t i = 0; i < kToomOutputs; ++i) wasm_v128_store(row + i * output.row_stride, y[i]);
  }
}

double evaluate(const double* coefficients, size_t count, double at) {
  double sum = 0;
  for (size_t k = count; k > 0; --k) sum = sum * at + coefficients[k - 1];
  return sum;
}

template <size_t kPairs, bool kZero>
void weight_points(const Points<kPairs, kZero>& p, const double* weights, double* points) {
  constexpr size_t kTaps = Points<kPairs, kZero>::kTaps;
  for (size_t pair = 0; pair < kPairs; ++pair) {
    const double scale = p.derivative(pair);
    points[2 * pair] = evaluate(weights, kTaps, p.at[pair]) / scale;
    points[2 * pair + 1] = evaluate(weights, kTaps, -p.at[pair]) / (kZero ? scale : -scale);
  }
  if constexpr (kZero) points[2 * kPairs] = weights[0] / p.even_product(kPairs)[0];
  points[2 * kPairs + (kZero ? 1 : 0)] = weights[kTaps - 1];
}

template <const auto& kPoints>
void transform_weights(const double* weights, double* points) {
  weight_points(kPoints, weights, points);
}

template <const auto& kPoints>
constexpr ToomForm form(const char* name) {
  return {name,
          static_cast<int32_t>(kPoints.kTaps),
          static_cast<int32_t>(kPoints.kCount),
          transform_input<kPoints>,
          transform_output<kPoints>,
          transform_weights<kPoints>};
}

constexpr ToomForm kForms[] = {form<kPoints2>("toom_cook_f32_4x2"), form<kPoints3>("toom_cook_f32_4x3"),
                               form<kPoints4>("toom_cook_f32_4x4"), form<kPoints5>("toom_cook_f32_4x5")};

}  // namespace

const ToomForm& toom_form(int32_t taps) { return kForms[taps - 2]; }

}  // namespace conv1d
