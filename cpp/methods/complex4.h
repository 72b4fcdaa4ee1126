// Four complex numbers at a time.
#pragma once

#include "simd.h"

namespace conv1d {

struct Complex4 {
  v128_t re;
  v128_t im;
};

inline Complex4 operator+(Complex4 a, Complex4 b) { return {wasm_f32x4_add(a.re, b.re), wasm_f32x4_add(a.im, b.im)}; }
inline Complex4 operator-(Complex4 a, Complex4 b) { return {wasm_f32x4_sub(a.re, b.re), wasm_f32x4_sub(a.im, b.im)}; }
inline Complex4 operator*(Complex4 a, Complex4 w) {
  return {nmadd(a.im, w.im, wasm_f32x4_mul(a.re, w.re)), madd(a.im, w.re, wasm_f32x4_mul(a.re, w.im))};
}
inline Complex4 multiply_add(Complex4 a, Complex4 b, Complex4 sum) {
  return {nmadd(a.im, b.im, madd(a.re, b.re, sum.re)), madd(a.im, b.re, madd(a.re, b.im, sum.im))};
}
// a * conjugate(w)
inline Complex4 unturn(Complex4 a, Complex4 w) {
  return {madd(a.im, w.im, wasm_f32x4_mul(a.re, w.re)), nmadd(a.re, w.im, wasm_f32x4_mul(a.im, w.re))};
}
// a + i * b and a - i * b
inline Complex4 add_i(Complex4 a, Complex4 b) { return {wasm_f32x4_sub(a.re, b.im), wasm_f32x4_add(a.im, b.re)}; }
inline Complex4 subtract_i(Complex4 a, Complex4 b) { return {wasm_f32x4_add(a.re, b.im), wasm_f32x4_sub(a.im, b.re)}; }

inline Complex4 load(const float* re, const float* im) { return {wasm_v128_load(re), wasm_v128_load(im)}; }
inline void store(float* re, float* im, Complex4 x) {
  wasm_v128_store(re, x.re);
  wasm_v128_store(im, x.im);
}
inline Complex4 splat(const float* re, const float* im) {
  return {wasm_v128_load32_splat(re), wasm_v128_load32_splat(im)};
}

}  // namespace conv1d
