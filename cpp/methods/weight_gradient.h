// The gradient of a correlation's weights, made ready for one input shape.
//
//     gw[o][c][k] = sum over n, t: gy[n][o][t] * x[n][c][first + t * stride + k * dilation]
#pragma once

#include <cstddef>
#include <cstdint>
namespace conv1d {

class WeightGradient {
 public:
  WeightGradient() = default;
  virtual ~WeightGradient() = default;
  WeightGradient(const WeightGradient&) = delete;
  WeightGradient& operator=(const WeightGradient&) = delete;

  // Threads that are worth waking for it.
  virtual int threads() const = 0;

  // The pieces that the work is cut into, whatever the threads; they may run in any order and at the same time, and
  // leave partial sums.
  virtual int32_t pieces() const = 0;

  // Floats of scratch memory that one thread needs, and all together for partial sums; multiples of 16.
  virtual size_t scratch_floats() const = 0;
  virtual size_t sum_floats() const = 0;

  struct Arrays {
    const float* x;   // (batch, in_channels, length)
    const float* gy;  // (batch, out_channels, out_length)
    float* gw;        // (groups, group_out, group_in, kernel_size)
    float* sums;
  };

  // Runs pieces [begin, end). Allocates nothing.
  virtual void run(int32_t begin, int32_t end, const Arrays& arrays, float* scratch) const = 0;

  // After all pieces: completes gw by the partial sums, in a fixed order.
  virtual void finish(const Arrays& arrays) const = 0;
};

}  // namespace conv1d
