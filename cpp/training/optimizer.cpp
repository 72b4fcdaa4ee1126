#include "training/optimizer.h"

#include <algorithm>

#include "simd.h"

namespace conv1d {
namespace {

v128_t splat(float x) { return wasm_f32x4_splat(x); }

struct Four {
  v128_t parameter;
  v128_t gradient;
  v128_t states[3];
};

// Calls `update` for four numbers of each array after the other; the last ones are filled up with zeros.
template <class Update>
void for_each_four(const Optimized& arrays, Update update) {
  const auto& [count, parameter, gradient, states] = arrays;
  for (size_t i = 0; i < count; i += 4) {
    const size_t n = std::min<size_t>(count - i, 4);
    const auto load = [&](const float* from) {
      if (n == 4) return wasm_v128_load(from + i);
      float rest[4] = {};
      std::copy_n(from + i, n, rest);
      return wasm_v128_load(rest);
    };
    Four four{.parameter = load(parameter), .gradient = load(gradient), .states = {}};
    for (int s = 0; s < 3; ++s) four.states[s] = states[s] != nullptr ? load(states[s]) : splat(0);
    update(four);
    store_some(parameter + i, n, four.parameter);
    for (int s = 0; s < 3; ++s) {
      if (states[s] != nullptr) store_some(states[s] + i, n, four.states[s]);
    }
  }
}

}  // namespace

void optimize(const Sgd& rule, const Optimized& arrays) {
  for_each_four(arrays, [&](Four& x) {
    const v128_t g = madd(splat(rule.weight_decay), x.parameter, x.gradient);
    v128_t& m = x.states[0];
    m = madd(splat(rule.decay), m, wasm_f32x4_mul(splat(rule.gain), g));
    const v128_t change = madd(splat(rule.from_momentum), m, wasm_f32x4_mul(splat(rule.from_gradient), g));
    x.parameter = wasm_f32x4_sub(x.parameter, change);
  });
}

void optimize(const Adam& rule, const Optimized& arrays) {
  for_each_four(arrays, [&](Four& x) {
    const v128_t g = madd(splat(rule.weight_decay), x.parameter, x.gradient);
    v128_t& m = x.states[0];
    v128_t& v = x.states[1];
    m = madd(splat(rule.beta1), m, wasm_f32x4_mul(splat(rule.rest1), g));
    v = madd(splat(rule.beta2), v, wasm_f32x4_mul(wasm_f32x4_mul(splat(rule.rest2), g), g));
    const v128_t size = madd(splat(rule.scale), wasm_f32x4_sqrt(v), splat(rule.eps));
    const v128_t change = wasm_f32x4_div(wasm_f32x4_mul(splat(rule.step_size), m), size);
    x.parameter = wasm_f32x4_sub(x.parameter, madd(splat(rule.shrink), x.parameter, change));
  });
}

void optimize(const RmsProp& rule, const Optimized& arrays) {
  for_each_four(arrays, [&](Four& x) {
    const v128_t g = madd(splat(rule.weight_decay), x.parameter, x.gradient);
    auto& [v, a, m] = x.states;
    v = madd(splat(rule.alpha), v, wasm_f32x4_mul(wasm_f32x4_mul(splat(rule.rest), g), g));
    a = madd(splat(rule.alpha), a, wasm_f32x4_mul(splat(rule.grad_rest), g));
    // Rounding can make a difference that is 0 negative.
    const v128_t variance = wasm_f32x4_max(nmadd(a, a, v), splat(0));
    const v128_t step = wasm_f32x4_div(g, wasm_f32x4_add(wasm_f32x4_sqrt(variance), splat(rule.eps)));
    m = madd(splat(rule.momentum), m, step);
    x.parameter = nmadd(splat(rule.learning_rate), m, x.parameter);
  });
}

}  // namespace conv1d
