#include "kernels/channels_f32.h"

#include "simd.h"

namespace conv1d {
namespace {

// Outputs [t, t + kColumns) of 4 * kVectors rows, all sums in registers.
template <size_t kVectors, size_t kColumns>
__attribute__((always_inline)) inline void run_tile(const Strip& strip, int32_t t) {
  v128_t sum[kVectors][kColumns];
#pragma GCC unroll 12
  for (size_t v = 0; v < kVectors; ++v) {
    const v128_t b = wasm_v128_load(strip.bias + 4 * v);
#pragma GCC unroll 12
    for (size_t c = 0; c < kColumns; ++c) sum[v][c] = b;
  }

  const float* weights = strip.weights;
  const float* input = strip.input + t;
  const int32_t* offset = strip.offsets;
  for (const int32_t* end = offset + strip.depth; offset != end; ++offset) {
    const float* at = input + *offset;
    if constexpr (kVectors > kColumns) {
      v128_t x[kColumns];
#pragma GCC unroll 12
      for (size_t c = 0; c < kColumns; ++c) x[c] = wasm_v128_load32_splat(at + c);
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) {
        const v128_t w = wasm_v128_load(weights + 4 * v);
#pragma GCC unroll 12
        for (size_t c = 0; c < kColumns; ++c) sum[v][c] = madd(w, x[c], sum[v][c]);
        keep_order();
      }
    } else {
      v128_t w[kVectors];
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) w[v] = wasm_v128_load(weights + 4 * v);
#pragma GCC unroll 12
      for (size_t c = 0; c < kColumns; ++c) {
        const v128_t x = wasm_v128_load32_splat(at + c);
#pragma GCC unroll 12
        for (size_t v = 0; v < kVectors; ++v) sum[v][c] = madd(w[v], x, sum[v][c]);
        keep_order();
      }
    }
    weights += 4 * kVectors;
  }

#pragma GCC unroll 12
  for (size_t v = 0; v < kVectors; ++v) {
#pragma GCC unroll 12
    for (size_t c = 0; c < kColumns; ++c) {
      float* output = strip.output + 4 * v * strip.row_stride + t + c;
      wasm_v128_store32_lane(output, sum[v][c], 0);
      wasm_v128_store32_lane(output + strip.row_stride, sum[v][c], 1);
      wasm_v128_store32_lane(output + 2 * strip.row_stride, sum[v][c], 2);
      wasm_v128_store32_lane(output + 3 * strip.row_stride, sum[v][c], 3);
    }
  }
}

template <size_t kVectors, size_t kColumns>
void channels(const Strip& strip) {
  check_strip(strip, 4 * kVectors);
  constexpr auto kWidth = static_cast<int32_t>(kColumns);
  int32_t t = 0;
  for (; t + kWidth <= strip.count; t += kWidth) run_tile<kVectors, kColumns>(strip, t);
  if constexpr (kColumns > 3) {
    for (; t + 3 <= strip.count; t += 3) run_tile<kVectors, 3>(strip, t);
  }
  for (; t < strip.count; ++t) run_tile<kVectors, 1>(strip, t);
}

}  // namespace

void channels_f32_24x2(const Strip& strip) { channels<6, 2>(strip); }
void channels_f32_8x6(const Strip& strip) { channels<2, 6>(strip); }
void channels_f32_4x6(const Strip& strip) { channels<1, 6>(strip); }

}  // namespace conv1d
