// upsample: numbers = the factor, whether linear, else nearest. As PyTorch's Upsample with align_corners=False: output
// t of the linear one lies at position (t + 1/2) / factor - 1/2 of the operand, or at 0 where that is before the first
// sample; the last one goes on.
#include <algorithm>

#include "operations/kinds.h"

namespace conv1d {
namespace {

class UpsampleNearest final : public Operation {
 public:
  UpsampleNearest(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id), factor_(spec.integer(0)) {}
  static bool has_room() { return true; }

  Timing timing() const override { return {.up = factor_}; }
  int64_t length(int64_t samples) const override { return samples * factor_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* sample = operands[0].at(c, first / factor_);
      auto left = static_cast<int32_t>(factor_ - first % factor_);
      float* row = out.row(c);
      for (int32_t done = 0; done < count; ++sample, left = factor_) {
        const int32_t own = std::min(left, count - done);
        std::fill_n(row + done, own, *sample);
        done += own;
      }
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* own = gradient.output_gradients.at(c, first);
      for (int32_t i = 0; i < count; ++i) to.row(c)[(first + i) / factor_] += own[i];
    }
  }

 private:
  int32_t factor_;
};

class UpsampleLinear final : public Operation {
 public:
  UpsampleLinear(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id), factor_(spec.integer(0)) {}
  static bool has_room() { return true; }

  // The position is (2 t + 1 - factor) / (2 factor); the sample before it and the next.
  Timing timing() const override { return {.up = 2 * factor_, .down = 2, .first = 1 - factor_, .last = 1 + factor_}; }
  int64_t length(int64_t samples) const override { return samples * factor_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    const Stretch& in = operands[0];
    for (int32_t c = 0; c < out_channels(); ++c) {
      float* row = out.row(c);
      for (int32_t i = 0; i < count; ++i) {
        const auto [before, after, share] = place(first + i, in.length);
        const float a = *in.at(c, before);
        row[i] = share == 0 ? a : (1 - share) * a + share * *in.at(c, after);  // which may be yet to come
      }
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* own = gradient.output_gradients.at(c, first);
      for (int32_t i = 0; i < count; ++i) {
        const auto [before, after, share] = place(first + i, gradient.operands[0].length);
        to.row(c)[before] += (1 - share) * own[i];
        to.row(c)[after] += share * own[i];
      }
    }
  }

 private:
  // The samples that an output lies between, and its share of the second.
  struct Place {
    int64_t before;
    int64_t after;
    float share;
  };
  Place place(int64_t output, int64_t length) const {
    const int64_t numerator = std::max<int64_t>(2 * output + 1 - factor_, 0);
    const int64_t before = numerator / (int64_t{2} * factor_);
    const float share = static_cast<float>(numerator - before * 2 * factor_) / static_cast<float>(2 * factor_);
    return {before, std::min(before + 1, length - 1), share};
  }

  int32_t factor_;
};

}  // namespace

MadeOperation make_upsample(const OperationSpec& spec, OperationId id) {
  return spec.integer(1) != 0 ? made<UpsampleLinear>(spec, id) : made<UpsampleNearest>(spec, id);
}

}  // namespace conv1d
