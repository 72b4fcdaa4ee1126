// Steps of optimisers, by the formulas of PyTorch's torch.optim.
#pragma once

#include <cstddef>

namespace conv1d {

// What a step changes: `count` floats each. A state that is null counts as 0, and is forgotten.
struct Optimized {
  size_t count;
  float* parameter;
  const float* gradient;
  float* states[3];
};

// With g = gradient + weight_decay * parameter, and m = momentum_buffer:
//   m = decay * m + gain * g
//   parameter -= from_gradient * g + from_momentum * m
struct Sgd {
  float weight_decay;
  float decay;
  float gain;
  float from_gradient;
  float from_momentum;
};

// With g as above, m = exp_avg and v = exp_avg_sq:
//   m = beta1 * m + rest1 * g,  v = beta2 * v + rest2 * g^2
//   parameter -= shrink * parameter + step_size * m / (scale * sqrt(v) + eps)
struct Adam {
  float weight_decay;
  float shrink;
  float beta1;
  float rest1;
  float beta2;
  float rest2;
  float step_size;
  float scale;
  float eps;
};

// With g as above, v = square_avg, a = grad_avg and m = momentum_buffer:
//   v = alpha * v + rest * g^2,  a = alpha * a + grad_rest * g
//   m = momentum * m + g / (sqrt(v - a^2) + eps)
//   parameter -= learning_rate * m
struct RmsProp {
  float weight_decay;
  float alpha;
  float rest;
  float grad_rest;
  float eps;
  float momentum;
  float learning_rate;
};

void optimize(const Sgd& rule, const Optimized& arrays);
void optimize(const Adam& rule, const Optimized& arrays);
void optimize(const RmsProp& rule, const Optimized& arrays);

}  // namespace conv1d
