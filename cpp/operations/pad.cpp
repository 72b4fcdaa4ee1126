// pad, crop: numbers = samples on the left, samples on the right, their value; negative ones are cut off.
#include <algorithm>

#include "operations/kinds.h"

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
    const auto before = static_cast<int32_t>(std::clamp<int64_t>(left_ - first, 0, count));
    const auto inside = static_cast<int32_t>(std::clamp<int64_t>(in.length + left_ - first, before, count)) - before;
    for (int32_t c = 0; c < out_channels(); ++c) {
      float* row = out.row(c);
      std::fill_n(row, before, value_);
      if (inside > 0) std::copy_n(in.at(c, first + before - left_), inside, row + before);
      std::fill_n(row + before + inside, count - before - inside, value_);
    }
  }

 private:
  int64_t left_;
  int64_t right_;
  float value_;
};

}  // namespace

MadeOperation make_pad(const OperationSpec& spec, OperationId id) { return made<Pad>(spec, id); }

}  // namespace conv1d
