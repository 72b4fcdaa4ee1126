#include "kernels/dense_f32.h"

#include "simd.h"

namespace conv1d {
namespace {

// Outputs [t, t + 4 * kVectors) of kRows rows, all sums in registers.
template <size_t kRows, size_t kVectors>
struct Tile {
  v128_t sum[kRows][kVectors];

  __attribute__((always_inline)) void add_tap(const float* weights, const float* input) {
    if constexpr (kRows >= kVectors) {
      v128_t x[kVectors];
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) x[v] = wasm_v128_load(input + 4 * v);
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) {
        const v128_t w = wasm_v128_load32_splat(weights + r);
#pragma GCC unroll 12
        for (size_t v = 0; v < kVectors; ++v) sum[r][v] = madd(w, x[v], sum[r][v]);
        keep_order();
      }
    } else {
      v128_t w[kRows];
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) w[r] = wasm_v128_load32_splat(weights + r);
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) {
        const v128_t x = wasm_v128_load(input + 4 * v);
#pragma GCC unroll 12
        for (size_t r = 0; r < kRows; ++r) sum[r][v] = madd(w[r], x, sum[r][v]);
        keep_order();
      }
    }
  }

  __attribute__((always_inline)) void compute(const Strip& strip, int32_t t) {
#pragma GCC unroll 12
    for (size_t r = 0; r < kRows; ++r) {
      const v128_t b = wasm_v128_load32_splat(strip.bias + r);
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = b;
    }
    // One tap a round: with more, compilers and engines interleave the taps' loads and run out of registers.
    const float* weights = strip.weights;
    const float* input = strip.input + t;
    const int32_t* offset = strip.offsets;
    for (const int32_t* end = offset + strip.depth; offset != end; ++offset) {
      add_tap(weights, input + *offset);
      weights += kRows;
    }
  }

  __attribute__((always_inline)) void store(float* output, size_t row_stride) const {
#pragma GCC unroll 12
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
      for (size_t v = 0; v < kVectors; ++v) wasm_v128_store(output + r * row_stride + 4 * v, sum[r][v]);
    }
  }
};

template <size_t kRows, size_t kVectors>
int32_t run_tiles(const Strip& strip, int32_t t) {
  constexpr auto kWidth = static_cast<int32_t>(4 * kVectors);
  for (; t + kWidth <= strip.count; t += kWidth) {
    Tile<kRows, kVectors> tile;
    tile.compute(strip, t);
    tile.store(strip.output + t, strip.row_stride);
  }
  return t;
}

// Fewer outputs than a vector: computed in full, the valid part stored.
template <size_t kRows>
void run_tail(const Strip& strip, int32_t t) {
  Tile<kRows, 1> tile;
  tile.compute(strip, t);
  for (size_t r = 0; r < kRows; ++r) {
    store_some(strip.output + r * strip.row_stride + t, strip.count - t, tile.sum[r][0]);
  }
}

template <size_t kRows, size_t kVectors>
void dense(const Strip& strip) {
  check_strip(strip, kRows);
  int32_t t = run_tiles<kRows, kVectors>(strip, 0);
  if constexpr (kVectors > 4) t = run_tiles<kRows, 4>(strip, t);
  if constexpr (kVectors > 2) t = run_tiles<kRows, 2>(strip, t);
  t = run_tiles<kRows, 1>(strip, t);
  if (t < strip.count) run_tail<kRows>(strip, t);
}

}  // namespace

void dense_f32_6x8(const Strip& strip) { dense<6, 2>(strip); }
void dense_f32_4x8(const Strip& strip) { dense<4, 2>(strip); }
void dense_f32_3x12(const Strip& strip) { dense<3, 3>(strip); }
void dense_f32_2x24(const Strip& strip) { dense<2, 6>(strip); }
void dense_f32_2x16(const Strip& strip) { dense<2, 4>(strip); }
void dense_f32_1x48(const Strip& strip) { dense<1, 12>(strip); }
void dense_f32_1x32(const Strip& strip) { dense<1, 8>(strip); }

}  // namespace conv1d
