#include "kernels/depthwise_f32.h"

#include "simd.h"

namespace conv1d {

void depthwise_f32_4x1(const Strip& strip) {
  check_strip(strip, 4);
  for (int32_t t = 0; t < strip.count; ++t) {
    v128_t sum = wasm_v128_load(strip.bias);
    const float* weights = strip.weights;
    const float* input = strip.input + t;
    const int32_t* offset = strip.offsets;
    for (const int32_t* end = offset + ptrdiff_t{4} * strip.depth; offset != end; offset += 4) {
      v128_t x = wasm_v128_load32_zero(input + offset[0]);
      x = wasm_v128_load32_lane(input + offset[1], x, 1);
      x = wasm_v128_load32_lane(input + offset[2], x, 2);
      x = wasm_v128_load32_lane(input + offset[3], x, 3);
      sum = madd(wasm_v128_load(weights), x, sum);
      weights += 4;
    }
    float* output = strip.output + t;
    wasm_v128_store32_lane(output, sum, 0);
    wasm_v128_store32_lane(output + strip.row_stride, sum, 1);
    wasm_v128_store32_lane(output + 2 * strip.row_stride, sum, 2);
    wasm_v128_store32_lane(output + 3 * strip.row_stride, sum, 3);
  }
}

}  // namespace conv1d
