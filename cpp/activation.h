#pragma once
#include <cstddef>
#include <cstdint>
namespace conv1d {
enum class Activation : uint8_t { kNone, kRelu, kLeakyRelu, kGelu, kGeluTanh, kSilu, kTanh, kSigmoid };
inline constexpr const char* kActivationNames[] = {"none",      "relu", "leaky_relu", "gelu",
                                                   "gelu_tanh", "silu", "tanh",       "sigmoid"};
void apply_activation(Activation f, float slope, float* values, size_t n);
}  // namespace conv1d
