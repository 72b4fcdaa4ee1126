#include "operator/planes.h"

#include <algorithm>

#include "simd.h"

namespace conv1d {
namespace {

// Every other of the eight floats at `source`, from the first on.
v128_t load_evens(const float* source) {
  return wasm_i32x4_shuffle(wasm_v128_load(source), wasm_v128_load(source + 4), 0, 2, 4, 6);
}

struct Square {
  v128_t rows[4];
};

Square transpose(const Square& s) {
  const v128_t low01 = wasm_i32x4_shuffle(s.rows[0], s.rows[1], 0, 4, 1, 5);
  const v128_t high01 = wasm_i32x4_shuffle(s.rows[0], s.rows[1], 2, 6, 3, 7);
  const v128_t low23 = wasm_i32x4_shuffle(s.rows[2], s.rows[3], 0, 4, 1, 5);
  const v128_t high23 = wasm_i32x4_shuffle(s.rows[2], s.rows[3], 2, 6, 3, 7);
  return {{wasm_i64x2_shuffle(low01, low23, 0, 2), wasm_i64x2_shuffle(low01, low23, 1, 3),
           wasm_i64x2_shuffle(high01, high23, 0, 2), wasm_i64x2_shuffle(high01, high23, 1, 3)}};
}

// Four vectors, `step` floats apart.
Square load_square(const float* source, size_t step) {
  return {{wasm_v128_load(source), wasm_v128_load(source + step), wasm_v128_load(source + 2 * step),
           wasm_v128_load(source + 3 * step)}};
}

void store_square(float* destination, size_t step, const Square& s) {
  for (size_t r = 0; r < 4; ++r) wasm_v128_store(destination + r * step, s.rows[r]);
}

}  // namespace

void split_by_4(const float* source, int32_t count, float* rows, size_t row_stride) {
  for (int32_t i = 0; i < count; i += 4) {
    store_square(rows + i, row_stride, transpose(load_square(source + 4 * static_cast<ptrdiff_t>(i), 4)));
  }
}

void merge_by_4(const float* rows, size_t row_stride, size_t count, float* destination) {
  size_t t = 0;
  for (; t + 16 <= count; t += 16) store_square(destination + t, 4, transpose(load_square(rows + t / 4, row_stride)));
  if (t == count) return;
  float last[16];
  store_square(last, 4, transpose(load_square(rows + t / 4, row_stride)));
  std::copy_n(last, count - t, destination + t);
}

void pick(const float* source, int64_t step, int64_t count, float* destination) {
  int64_t j = 0;
  // Four at a time, while a load ends before the next one to pick.
  if (step == 2 || step == 4) {
    for (; j + 4 < count; j += 4) {
      const float* from = source + j * step;
      v128_t picked = load_evens(from);
      if (step == 4) picked = wasm_i32x4_shuffle(picked, load_evens(from + 8), 0, 2, 4, 6);
      wasm_v128_store(destination + j, picked);
    }
  }
  for (; j < count; ++j) destination[j] = source[j * step];
}

}  // namespace conv1d
