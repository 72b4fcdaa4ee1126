// The functions that a convolution can apply to its output.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

enum class Activation : uint8_t { kNone, kRelu, kLeakyRelu, kGelu, kGeluTanh, kSilu, kTanh, kSigmoid };

// Indexed by Activation.
inline constexpr const char* kActivationNames[] = {"none",      "relu", "leaky_relu", "gelu",
                                                   "gelu_tanh", "silu", "tanh",       "sigmoid"};

// values[i] = f(values[i]) for i < n, in place; `slope` is leaky_relu's. No alignment needed; nothing is read or
// written beyond n. Within 4 ulp of the true value for every float32, denormal results too; NaN stays NaN, and -Inf and
// +Inf give the limits. An element's result depends on its value alone, never on its position or its neighbours.
void apply_activation(Activation f, float slope, float* values, size_t n);

}  // namespace conv1d
