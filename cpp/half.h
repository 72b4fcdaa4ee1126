// float16 (IEEE binary16) to float32, exact, and back, rounded once to nearest even; denormals and all. No operand is a
// float32 denormal, nor is any result, so the conversions do not care what a CPU does with those.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd.h"

namespace conv1d {

// The conversions of four numbers at a time, with their constants in memory: V8 builds a v128.const where it is used,
// in loops too, with three instructions; a load is one.
struct HalfConverter {
  // float16 in the low 16 bits of each lane, zeros above.
  //
  // A float32's fraction has 13 bits more, its exponent counts from 112 lower. So a normal number needs 112 added to
  // its exponent, Inf and NaN twice that. A denormal, read as a number with the next exponent and its leading 1, is too
  // large by just that 1, which is worth 2^-14.
  [[nodiscard]] v128_t to_floats(v128_t halves) const {
    const v128_t magnitude = wasm_v128_and(halves, half_magnitude);
    const v128_t denormal = wasm_i32x4_lt(magnitude, half_smallest_normal);
    const v128_t special = wasm_i32x4_gt(magnitude, half_largest);
    const v128_t normal = wasm_i32x4_add(wasm_i32x4_shl(magnitude, 13), bias);
    // The mask is -1: subtracting it from the exponent adds one.
    const v128_t with_leading_1 = wasm_i32x4_sub(normal, wasm_i32x4_shl(denormal, 23));
    const v128_t finite = wasm_f32x4_sub(with_leading_1, wasm_v128_and(denormal, smallest_normal));
    const v128_t sign = wasm_i32x4_shl(wasm_v128_xor(halves, magnitude), 16);
    return wasm_v128_or(wasm_i32x4_add(finite, wasm_v128_and(special, bias)), sign);
  }

  // float16 in the low 16 bits of each lane, zeros above.
  //
  // Added to 2^(e + 13), a number in [2^e, 2^(e + 1)) is rounded to the 11 bits that it has as a float16, which are the
  // sum's last ones. The first of them is the leading 1 that a float16 omits: added to the exponent field it makes
  // e + 15 of e + 14. A carry out of the rest makes it e + 16, as it should, and at last Inf. For denormals e is -14,
  // as for the smallest normal numbers, but there is no leading 1, so the field becomes 0.
  [[nodiscard]] v128_t to_halves(v128_t floats) const {
    const v128_t magnitude = wasm_v128_and(floats, float_magnitude);
    const v128_t bounded = wasm_i32x4_min(magnitude, half_overflow);  // which becomes Inf, and so does NaN for now
    const v128_t exponent = wasm_i32x4_max(wasm_v128_and(bounded, infinity), smallest_normal);
    const v128_t power = wasm_i32x4_add(exponent, thirteen);
    const v128_t last_bits = wasm_i32x4_sub(wasm_f32x4_add(bounded, power), power);
    const v128_t rounded = wasm_i32x4_add(last_bits, wasm_i32x4_shr(wasm_i32x4_sub(exponent, smallest_normal), 13));
    const v128_t quiet = wasm_v128_and(wasm_i32x4_gt(magnitude, infinity), half_quiet);
    const v128_t sign = wasm_v128_and(wasm_u32x4_shr(floats, 16), half_sign);
    return wasm_v128_or(wasm_v128_or(rounded, quiet), sign);
  }

  struct Constant {
    int32_t value;
    operator v128_t() const { return wasm_v128_load32_splat(&value); }
  };
  Constant half_magnitude{0x7fff};
  Constant half_smallest_normal{0x0400};
  Constant half_largest{0x7bff};
  Constant half_quiet{0x0200};  // what makes a NaN of Inf
  Constant half_sign{0x8000};
  Constant float_magnitude{0x7fffffff};
  Constant infinity{255 << 23};
  Constant half_overflow{(127 + 16) << 23};    // 2^16
  Constant smallest_normal{(127 - 14) << 23};  // 2^-14
  Constant bias{112 << 23};
  Constant thirteen{13 << 23};
};

inline constexpr HalfConverter kHalfConverter;

inline float half_to_float(uint16_t half) {
  return wasm_f32x4_extract_lane(kHalfConverter.to_floats(wasm_i32x4_splat(half)), 0);
}

inline uint16_t float_to_half(float value) {
  return wasm_u16x8_extract_lane(kHalfConverter.to_halves(wasm_f32x4_splat(value)), 0);
}

// dst[i] = src[i] for i < n. No alignment needed; nothing is read or written beyond n; src and dst must not overlap.
inline void halves_to_floats(const uint16_t* src, float* dst, size_t n) {
  const HalfConverter* converter = &kHalfConverter;
  asm("" : "+r"(converter) : : "memory");  // or the compiler would make v128.const of the constants again
  size_t i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(dst + i, converter->to_floats(wasm_u32x4_load16x4(src + i)));
  for (; i < n; ++i) dst[i] = half_to_float(src[i]);
}

inline void floats_to_halves(const float* src, uint16_t* dst, size_t n) {
  const HalfConverter* converter = &kHalfConverter;
  asm("" : "+r"(converter) : : "memory");
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const v128_t low = converter->to_halves(wasm_v128_load(src + i));
    const v128_t high = converter->to_halves(wasm_v128_load(src + i + 4));
    wasm_v128_store(dst + i, wasm_u16x8_narrow_i32x4(low, high));
  }
  if (i + 4 <= n) {
    const v128_t halves = converter->to_halves(wasm_v128_load(src + i));
    wasm_v128_store64_lane(dst + i, wasm_u16x8_narrow_i32x4(halves, halves), 0);
    i += 4;
  }
  for (; i < n; ++i) dst[i] = float_to_half(src[i]);
}

// Rounds values[i], i < n, to what a float16 can hold.
inline void round_to_halves(float* values, size_t n) {
  constexpr size_t kBlock = 256;
  uint16_t halves[kBlock];
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t count = n - i < kBlock ? n - i : kBlock;
    floats_to_halves(values + i, halves, count);
    halves_to_floats(halves, values + i, count);
  }
}

}  // namespace conv1d
