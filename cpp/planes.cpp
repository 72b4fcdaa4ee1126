#include "planes.h"

#include <cstddef>

#include "simd.h"

namespace conv1d {
namespace {

// Every other of the eight floats at `source`, from the first on.
v128_t load_evens(const float* source) {
  return wasm_i32x4_shuffle(wasm_v128_load(source), wasm_v128_load(source + 4), 0, 2, 4, 6);
}

}  // namespace

void pick(const float* source, int32_t step, int32_t count, float* destination) {
  int32_t j = 0;
  // Four at a time, while a load ends before the next one to pick.
  if (step == 2 || step == 4) {
    for (; j + 4 < count; j += 4) {
      const float* from = source + static_cast<ptrdiff_t>(j) * step;
      v128_t picked = load_evens(from);
      if (step == 4) picked = wasm_i32x4_shuffle(picked, load_evens(from + 8), 0, 2, 4, 6);
      wasm_v128_store(destination + j, picked);
    }
  }
  for (; j < count; ++j) destination[j] = source[static_cast<ptrdiff_t>(j) * step];
}

}  // namespace conv1d
