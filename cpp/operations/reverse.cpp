// reverse: the signal backwards, which bidirectional recurrent layers need.
#include <algorithm>

#include "operations/kinds.h"

namespace conv1d {
namespace {

class Reverse final : public Operation {
 public:
  using Operation::Operation;
  static bool has_room() { return true; }

  const char* why_not_in_streams() const override {
    return "a bidirectional layer begins with the last sample, which comes last";
  }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      std::reverse_copy(operands[0].at(c, first), operands[0].at(c, first) + count, out.row(c));
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* own = gradient.output_gradients.at(c, first);
      for (int32_t i = 0; i < count; ++i) to.row(c)[count - 1 - i] += own[i];
    }
  }
};

}  // namespace

MadeOperation make_reverse(const OperationSpec& spec, OperationId id) { return made<Reverse>(spec.channels[0], id); }

}  // namespace conv1d
