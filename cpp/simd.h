// The only place that picks wasm intrinsics or their native stand-in (SIMDe).
#pragma once

#include <cstddef>

#if defined(__wasm__)
#include <wasm_simd128.h>
#else
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>
#endif

namespace conv1d {

// a * b + c in each of four lanes: rounded once where the relaxed build's CPU has fused multiply-add, twice elsewhere.
// One build on one machine always does the same, which is what makes summation bit-identical across tiles and threads.
inline v128_t madd(v128_t a, v128_t b, v128_t c) {
#if defined(__wasm_relaxed_simd__)
  return wasm_f32x4_relaxed_madd(a, b, c);
#elif defined(CONV1D_NATIVE_FMA)  // for tests of what a relaxed build computes
  using Lanes = float __attribute__((vector_size(16)));
  const auto x = reinterpret_cast<Lanes>(a);
  const auto y = reinterpret_cast<Lanes>(b);
  auto z = reinterpret_cast<Lanes>(c);
  for (int i = 0; i < 4; ++i) z[i] = __builtin_fmaf(x[i], y[i], z[i]);
  return reinterpret_cast<v128_t>(z);
#else
  return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

// c - a * b, rounded as madd() is.
inline v128_t nmadd(v128_t a, v128_t b, v128_t c) {
#if defined(__wasm_relaxed_simd__)
  return wasm_f32x4_relaxed_nmadd(a, b, c);
#else
  return madd(wasm_f32x4_neg(a), b, c);
#endif
}

// The first n lanes, all four when there are more to come; n >= 1.
inline void store_some(float* p, size_t n, v128_t x) {
  if (n >= 4) return wasm_v128_store(p, x);
  if (n == 1) return wasm_v128_store32_lane(p, x, 0);
  wasm_v128_store64_lane(p, x, 0);
  if (n == 3) wasm_v128_store32_lane(p + 2, x, 2);
}

// The first n floats, then zeros; four when there are more to come; n >= 1.
inline v128_t load_some(const float* p, size_t n) {
  if (n >= 4) return wasm_v128_load(p);
  if (n == 1) return wasm_v128_load32_zero(p);
  const v128_t pair = wasm_v128_load64_zero(p);
  return n == 2 ? pair : wasm_v128_load32_lane(p + 2, pair, 2);
}

// Loads before stay before, loads after stay after. Compilers like to load a whole tap's operands at once; with twelve
// sums in sixteen registers that spills, so kernels load each just before its use.
inline void keep_order() { __asm__ volatile("" ::: "memory"); }

}  // namespace conv1d
