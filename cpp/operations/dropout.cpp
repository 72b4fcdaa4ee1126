// dropout: numbers = p. In training each element is 0 with that probability, the others are divided by 1 - p.
#include <algorithm>
#include <cmath>

#include "operations/kinds.h"
#include "operations/rows.h"
#include "split_mix.h"

namespace conv1d {
namespace {

class Dropout final : public Operation, public TrainingMode {
 public:
  Dropout(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id),
        dropped_(std::ldexp(spec.numbers[0], 32)),
        scale_(static_cast<float>(1 / (1 - spec.numbers[0]))) {}
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) std::copy_n(operands[0].at(c, first), count, out.row(c));
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      add_row(gradient.output_gradients.at(c, first), count, to.row(c) + first);
    }
  }

  TrainingMode* training_mode() override { return this; }

  void train(const Batch& batch, const float* operand, int32_t begin, int32_t end, uint64_t seed, bool /*learns*/,
             float* out) override {
    for (int32_t image = 0; image < batch.images; ++image) {
      std::fill(out + batch.row(image, begin), out + batch.row(image, end), 0.0F);
    }
    add_kept(batch, operand, begin, end, seed, out);
  }

  void train_backward(const Batch& batch, const float* /*operand*/, const float* output_gradients, int32_t begin,
                      int32_t end, uint64_t seed, float* operand_gradients,
                      float* /*parameter_gradients*/) const override {
    if (operand_gradients != nullptr) add_kept(batch, output_gradients, begin, end, seed, operand_gradients);
  }

 private:
  // Adds those elements that are not dropped, which depends on seed and place alone, over 1 - p.
  void add_kept(const Batch& batch, const float* from, int32_t begin, int32_t end, uint64_t seed, float* sums) const {
    for (int32_t image = 0; image < batch.images; ++image) {
      const size_t last = batch.row(image, end);
      for (size_t at = batch.row(image, begin); at < last; ++at) {
        if (static_cast<double>(split_mix(seed, at) >> 32) >= dropped_) sums[at] += from[at] * scale_;
      }
    }
  }

  double dropped_;  // of 2^32
  float scale_;
};

}  // namespace

MadeOperation make_dropout(const OperationSpec& spec, OperationId id) { return made<Dropout>(spec, id); }

}  // namespace conv1d
