#include "operations/rows.h"

#include "simd.h"

namespace conv1d {

void add_row(const float* row, int64_t count, float* sums) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    wasm_v128_store(sums + i, wasm_f32x4_add(wasm_v128_load(sums + i), wasm_v128_load(row + i)));
  }
  for (; i < count; ++i) sums[i] += row[i];
}

void add_product(const float* a, const float* b, int64_t count, float* sums) {
  for (int64_t i = 0; i < count; ++i) sums[i] += a[i] * b[i];
}

}  // namespace conv1d
