// One way of computing a correlation, made ready for one input shape.
#pragma once

#include <cstddef>
#include <cstdint>

#include "packed_forms.h"

namespace conv1d {

class Method {
 public:
  Method() = default;
  virtual ~Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  // The kernel that most of the work goes to, a name of choose/tiles.cpp or of a transform.
  virtual const char* kernel() const = 0;

  // Threads that are worth waking for it.
  virtual int threads() const = 0;

  // The pieces that the output is cut into; they may run in any order and at the same time.
  virtual int32_t pieces() const = 0;

  // Floats of scratch memory that one thread needs, a multiple of 16.
  virtual size_t scratch_floats() const = 0;

  // Takes the weights, and brings their packed form up to date. Called before run(), by one thread. Allocates nothing.
  virtual void pack(const Weights& weights) = 0;

  // Computes pieces [begin, end) of `output` (see Correlation) from `input` (batch, in_channels, length), row-major.
  // Allocates nothing.
  virtual void run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const = 0;
};

}  // namespace conv1d
