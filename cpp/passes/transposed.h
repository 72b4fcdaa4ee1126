// What a stream does with a transposed layer: the phases' direct kernels over a stretch of its operand.
#pragma once

#include <memory>

#include "array.h"
#include "buffer.h"
#include "layer.h"
#include "operations/operation.h"

namespace conv1d {

class Transposed final : public Computation {
 public:
  // Null when memory is short.
  static std::unique_ptr<Transposed> make(std::shared_ptr<Layer> layer);

  Timing timing() const override;
  int64_t length(int64_t samples) const override;
  size_t scratch_floats() const override;
  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* scratch) const override;

  explicit Transposed(std::shared_ptr<Layer> layer);

 private:
  // Outputs [first, first + count), from the operand's rows at `window`, which begin with sample `begin`.
  void compute_phase(Layer::Phase* phase, const int32_t* offsets, const float* window, int64_t begin, int64_t first,
                     int32_t count, const OutputStretch& out, float* sums) const;
  // Those that no tap leads to.
  void fill_gaps(int64_t first, int32_t count, const OutputStretch& out) const;
  // Copies samples [begin, end) of every row, with zeros where there are none.
  void copy_window(const Stretch& in, int64_t begin, int64_t end, float* window) const;

  const Params& params() const { return layer_->params(); }
  int64_t most_window() const;
  size_t window_pitch() const;

  std::shared_ptr<Layer> layer_;
  Array<Buffer<int32_t>> offsets_;  // of each phase: where its channels' taps read
};

}  // namespace conv1d
