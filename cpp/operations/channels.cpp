// concat: the channels of all operands, one after the other. slice: numbers = first channel, number of channels, step.
#include <algorithm>

#include "buffer.h"
#include "operations/kinds.h"
#include "operations/rows.h"

namespace conv1d {
namespace {

class Concat final : public Operation {
 public:
  Concat(const OperationSpec& spec, OperationId id) : Operation(sum(spec.channels), id) {
    has_room_ = channels_.reserve(spec.channels.size());
    if (has_room_) std::ranges::copy(spec.channels, channels_.data());
  }
  bool has_room() const { return has_room_; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    int32_t row = 0;
    for (size_t i = 0; i < operands.size(); ++i) {
      for (int32_t c = 0; c < channels_[i]; ++c) std::copy_n(operands[i].at(c, first), count, out.row(row++));
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    int32_t row = 0;
    for (size_t i = 0; i < gradient.operands.size(); row += channels_[i++]) {
      const OutputStretch& to = gradient.operand_gradients[i];
      for (int32_t c = 0; to.rows != nullptr && c < channels_[i]; ++c) {
        add_row(gradient.output_gradients.at(row + c, first), count, to.row(c) + first);
      }
    }
  }

 private:
  static int32_t sum(std::span<const int32_t> channels) {
    int32_t all = 0;
    for (const int32_t own : channels) all += own;
    return all;
  }

  bool has_room_;
  Buffer<int32_t> channels_;
};

class Slice final : public Operation {
 public:
  Slice(const OperationSpec& spec, OperationId id)
      : Operation(spec.integer(1), id), begin_(spec.integer(0)), step_(spec.integer(2)) {}
  static bool has_room() { return true; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      std::copy_n(operands[0].at(begin_ + c * step_, first), count, out.row(c));
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      add_row(gradient.output_gradients.at(c, first), count, to.row(begin_ + c * step_) + first);
    }
  }

 private:
  int32_t begin_;
  int32_t step_;
};

}  // namespace

MadeOperation make_concat(const OperationSpec& spec, OperationId id) { return made<Concat>(spec, id); }
MadeOperation make_slice(const OperationSpec& spec, OperationId id) { return made<Slice>(spec, id); }

}  // namespace conv1d
