// The functions that a convolution can apply to its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace conv1d {

enum class Activation : uint8_t {
  kNone,
  kRelu,
  kLeakyRelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kTanh,
  kSigmoid,
  kRelu6,
  kElu,
  kSelu,
  kPrelu,
  kSoftplus,
  kSoftsign,
  kMish,
  kHardTanh,
  kHardSigmoid,
  kHardSwish,
  kSnake
};

struct ActivationParameter {
  const char* name;  // null where there is none
  double initial;    // what it is unless given
};

inline constexpr size_t kMostParameters = 2;

// All that is to know of one, but how it is computed.
struct ActivationEntry {
  const char* name;
  double lipschitz;   // nowhere is it steeper,
  bool or_parameter;  // unless its first parameter's magnitude is more
  bool per_channel;   // whether that parameter may be given for each channel
  ActivationParameter parameters[kMostParameters];

  constexpr size_t parameter_count() const {
    size_t count = 0;
    while (count < kMostParameters && parameters[count].name != nullptr) ++count;
    return count;
  }
};

// Indexed by Activation. JavaScript, the tests and the demo page read it too.
inline constexpr ActivationEntry kActivations[] = {
    {"none", 1, false, false, {}},
    {"relu", 1, false, false, {}},
    {"leaky_relu", 1, true, false, {{"slope", 0.01}}},
    {"gelu", 1.13, false, false, {}},
    {"gelu_tanh", 1.13, false, false, {}},
    {"silu", 1.1, false, false, {}},
    {"tanh", 1, false, false, {}},
    {"sigmoid", 0.25, false, false, {}},
    {"relu6", 1, false, false, {}},
    {"elu", 1, true, false, {{"alpha", 1}}},
    {"selu", 1.7581, false, false, {}},
    {"prelu", 1, true, true, {{"slope", 0.25}}},
    {"softplus", 1, false, false, {{"beta", 1}}},
    {"softsign", 1, false, false, {}},
    {"mish", 1.0885, false, false, {}},
    {"hardtanh", 1, false, false, {{"minVal", -1}, {"maxVal", 1}}},
    {"hardsigmoid", 1.0 / 6, false, false, {}},
    {"hardswish", 1.5, false, false, {}},
    {"snake", 2, false, true, {{"alpha", 1}}},
};
static_assert(std::size(kActivations) == static_cast<size_t>(Activation::kSnake) + 1);

constexpr const ActivationEntry& entry_of(Activation activation) {
  return kActivations[static_cast<size_t>(activation)];
}

// values[i] = f(values[i]) for i < n, in place. No alignment needed; nothing is read or written beyond n. Within 4 ulp
// of the true value for every float32 (snake, whose terms may cancel: 4 ulp of its input), denormal results too; NaN
// stays NaN, and -Inf and +Inf give the limits. An element's result depends on its value and the parameters alone,
// never on its position or its neighbours.
void apply_activation(Activation f, const float* parameters, float* values, size_t n);

// What a derivative is computed from.
enum class DerivativeOf : uint8_t { kInput, kOutput };

// Whether f'(x) can be computed from f(x) as well as from x.
bool has_derivative_of_output(Activation f, const float* parameters);

// gradients[i] *= f'(x) for i < n, where values[i] is x, or f(x) under kOutput. At a corner it is the derivative from
// the side that PyTorch takes.
void apply_derivative(Activation f, const float* parameters, DerivativeOf of, const float* values, float* gradients,
                      size_t n);

}  // namespace conv1d
