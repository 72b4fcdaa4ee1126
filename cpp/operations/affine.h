// scale * x + shift, for each channel.
#pragma once

#include "buffer.h"
#include "operations/operation.h"

namespace conv1d {

class Affine : public Operation {
 public:
  using Operation::Operation;

  // Room for all channels, whose numbers are then to be set.
  [[nodiscard]] bool reserve();
  void set(size_t channel, double scale, double shift);

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* state) const override;
  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override;

 private:
  Buffer<float> scales_;
  Buffer<float> shifts_;
};

}  // namespace conv1d
