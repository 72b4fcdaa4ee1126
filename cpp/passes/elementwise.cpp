#include "passes/elementwise.h"

#include <algorithm>

#include "half.h"
#include "simd.h"

namespace conv1d {
namespace {

constexpr size_t kBlock = 256;

void add(const float* a, const float* b, float* sum, size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(sum + i, wasm_f32x4_add(wasm_v128_load(a + i), wasm_v128_load(b + i)));
  for (; i < n; ++i) sum[i] = a[i] + b[i];
}

void multiply(const float* a, const float* b, float* product, size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(product + i, wasm_f32x4_mul(wasm_v128_load(a + i), wasm_v128_load(b + i)));
  }
  for (; i < n; ++i) product[i] = a[i] * b[i];
}

void activate(const Finish& finish, int32_t channel, const float* a, float* out, size_t n) {
  if (out != a) std::copy_n(a, n, out);
  activate(finish, channel, out, n);
}

void gate(const float* a, const float* b, float* out, size_t n) {
  float sigmoids[kBlock];
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t count = std::min(kBlock, n - i);
    activate({Activation::kSigmoid}, 0, b + i, sigmoids, count);
    activate({Activation::kTanh}, 0, a + i, out + i, count);
    multiply(out + i, sigmoids, out + i, count);
  }
}

}  // namespace

void apply_elementwise(const Elementwise& f, int32_t channel, const float* a, const float* b, float* out, size_t n) {
  switch (f.kind) {
    case Elementwise::Kind::kAdd:
      return add(a, b, out, n);
    case Elementwise::Kind::kMultiply:
      return multiply(a, b, out, n);
    case Elementwise::Kind::kGate:
      return gate(a, b, out, n);
    case Elementwise::Kind::kActivation:
      return activate(f.finish, channel, a, out, n);
  }
}

void apply_elementwise(const Elementwise& f, int32_t channel, const uint16_t* a, const uint16_t* b, uint16_t* out,
                       size_t n) {
  float wide_a[kBlock];
  float wide_b[kBlock];
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t count = std::min(kBlock, n - i);
    halves_to_floats(a + i, wide_a, count);
    halves_to_floats(b + i, wide_b, count);
    apply_elementwise(f, channel, wide_a, wide_b, wide_a, count);
    floats_to_halves(wide_a, out + i, count);
  }
}

}  // namespace conv1d
