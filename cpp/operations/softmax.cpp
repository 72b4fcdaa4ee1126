// softmax, logSoftmax: over the channels at each time, summed in float64.
#include <algorithm>
#include <cmath>

#include "operations/kinds.h"

namespace conv1d {
namespace {

// Times that are worked on at once, so that rows are read in stretches.
constexpr int32_t kBlock = 64;

class Softmax final : public Operation {
 public:
  Softmax(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id), is_log_(spec.kind == "logSoftmax") {}
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t t = 0; t < count; t += kBlock) {
      block(operands[0], first + t, std::min(kBlock, count - t), {out.rows + t, out.pitch});
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    if (gradient.operand_gradients[0].rows == nullptr) return;
    for (int32_t t = 0; t < count; t += kBlock) block_backward(gradient, first + t, std::min(kBlock, count - t));
  }

 private:
  void block(const Stretch& in, int64_t first, int32_t count, const OutputStretch& out) const {
    float largest[kBlock];
    double sum[kBlock] = {};
    std::copy_n(in.at(0, first), count, largest);
    for (int32_t c = 1; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      for (int32_t i = 0; i < count; ++i) largest[i] = std::max(largest[i], row[i]);
    }
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      float* to = out.row(c);
      for (int32_t i = 0; i < count; ++i) {
        const float exp = std::exp(row[i] - largest[i]);
        sum[i] += exp;
        to[i] = is_log_ ? row[i] - largest[i] : exp;
      }
    }
    for (int32_t i = 0; i < count; ++i) sum[i] = is_log_ ? std::log(sum[i]) : 1 / sum[i];
    for (int32_t c = 0; c < out_channels(); ++c) {
      float* to = out.row(c);
      for (int32_t i = 0; i < count; ++i) to[i] = static_cast<float>(is_log_ ? to[i] - sum[i] : to[i] * sum[i]);
    }
  }

  // y (g - sum(g y)), or g - exp(y) sum(g) of the logarithm.
  void block_backward(const OperationGradient& gradient, int64_t first, int32_t count) const {
    double sum[kBlock] = {};
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* y = gradient.output.at(c, first);
      const float* own = gradient.output_gradients.at(c, first);
      for (int32_t i = 0; i < count; ++i) sum[i] += double{own[i]} * (is_log_ ? 1 : y[i]);
    }
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* y = gradient.output.at(c, first);
      const float* own = gradient.output_gradients.at(c, first);
      float* to = gradient.operand_gradients[0].row(c) + first;
      for (int32_t i = 0; i < count; ++i) {
        to[i] += static_cast<float>(is_log_ ? own[i] - std::exp(y[i]) * sum[i] : y[i] * (own[i] - sum[i]));
      }
    }
  }

  bool is_log_;
};

}  // namespace

MadeOperation make_softmax(const OperationSpec& spec, OperationId id) { return made<Softmax>(spec, id); }

}  // namespace conv1d
