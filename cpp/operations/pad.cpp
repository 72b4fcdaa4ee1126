// pad, crop: numbers = samples on the left, samples on the right, their value; negative ones are cut off.
#include <algorithm>

#include "operations/kinds.h"
#include "operations/rows.h"

namespace conv1d {
namespace {

class Pad final : public Operation {
 public:
  Pad(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id),
        left_(spec.integer(0)),
        right_(spec.integer(1)),
        value_(static_cast<float>(spec.numbers[2])) {}
  static bool has_room() { return true; }

  // What is cut off on the right is known to be when as many samples follow.
  Timing timing() const override { return {.first = -left_, .last = -left_ + std::max<int64_t>(-right_, 0)}; }
  int64_t length(int64_t samples) const override { return samples + left_ + right_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    const Stretch& in = operands[0];
    const auto [before, inside] = parts(in.length, first, count);
    for (int32_t c = 0; c < out_channels(); ++c) {
      float* row = out.row(c);
      std::fill_n(row, before, value_);
      if (inside > 0) std::copy_n(in.at(c, first + before - left_), inside, row + before);
      std::fill_n(row + before + inside, count - before - inside, value_);
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    const auto [before, inside] = parts(gradient.operands[0].length, first, count);
    if (to.rows == nullptr || inside == 0) return;
    for (int32_t c = 0; c < out_channels(); ++c) {
      add_row(gradient.output_gradients.at(c, first + before), inside, to.row(c) + first + before - left_);
    }
  }

 private:
  // Of outputs [first, first + count), those before the operand and those that are copies of it.
  struct Parts {
    int32_t before;
    int32_t inside;
  };
  Parts parts(int64_t length, int64_t first, int32_t count) const {
    const auto before = static_cast<int32_t>(std::clamp<int64_t>(left_ - first, 0, count));
    return {before, static_cast<int32_t>(std::clamp<int64_t>(length + left_ - first, before, count)) - before};
  }

  int64_t left_;
  int64_t right_;
  float value_;
};

}  // namespace

MadeOperation make_pad(const OperationSpec& spec, OperationId id) { return made<Pad>(spec, id); }

}  // namespace conv1d
