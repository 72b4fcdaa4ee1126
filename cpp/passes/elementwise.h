// What a network does with signals beside convolving them, element by element.
#pragma once

#include <cstddef>
#include <cstdint>

#include "operator/finish.h"

namespace conv1d {

struct Elementwise {
  enum class Kind : uint8_t {
    kAdd,
    kMultiply,
    kGate,        // tanh(a) * sigmoid(b): WaveNet's gated activation unit (van den Oord et al. 2016, eq. 2)
    kActivation,  // of a
  };
  Kind kind;
  Finish finish;  // kActivation
};

// out[i] = what `f` makes of a[i] and b[i], both of a channel, for i < n. No alignment needed; `out` may be `a`, not
// `b`. An element's result depends on its operands alone.
void apply_elementwise(const Elementwise& f, int32_t channel, const float* a, const float* b, float* out, size_t n);

// The same for float16: computed in float32, rounded once.
void apply_elementwise(const Elementwise& f, int32_t channel, const uint16_t* a, const uint16_t* b, uint16_t* out,
                       size_t n);

}  // namespace conv1d
