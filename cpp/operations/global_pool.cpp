// globalMaxPool, globalAveragePool: one output, of the whole signal. Averages are summed in float64, in the order
// of time.
#include <cstring>
#include <limits>

#include "operations/kinds.h"

namespace conv1d {
namespace {

class AtEnd : public Operation {
 public:
  using Operation::Operation;
  static bool has_room() { return true; }
  Timing timing() const override { return {.at_end = true}; }
  int64_t length(int64_t samples) const override { return std::min<int64_t>(samples, 1); }
};

class GlobalMaxPool final : public AtEnd {
 public:
  using AtEnd::AtEnd;

  size_t state_floats() const override { return static_cast<size_t>(out_channels()); }
  void start(float* state) const override {
    std::fill_n(state, state_floats(), -std::numeric_limits<float>::infinity());
  }
  void take(const Stretch& operand, int64_t first, int32_t count, float* state) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = operand.at(c, first);
      for (int32_t i = 0; i < count; ++i) {
        if (row[i] > state[c] || row[i] != row[i]) state[c] = row[i];
      }
    }
  }
  void compute(std::span<const Stretch> /*operands*/, int64_t /*first*/, int32_t /*count*/, const OutputStretch& out,
               float* state) const override {
    for (int32_t c = 0; c < out_channels(); ++c) *out.row(c) = state[c];
  }

  // That of the first of the largest samples, or of the last that is NaN.
  void backward(const OperationGradient& gradient, int64_t /*first*/, int32_t /*count*/) const override {
    const Stretch& in = gradient.operands[0];
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* row = in.at(c, 0);
      int64_t largest = 0;
      for (int64_t t = 1; t < in.length; ++t) {
        if (row[t] > row[largest] || row[t] != row[t]) largest = t;
      }
      to.row(c)[largest] += *gradient.output_gradients.at(c, 0);
    }
  }
};

class GlobalAveragePool final : public AtEnd {
 public:
  using AtEnd::AtEnd;

  // A double for each channel.
  size_t state_floats() const override { return 2 * static_cast<size_t>(out_channels()); }
  void take(const Stretch& operand, int64_t first, int32_t count, float* state) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = operand.at(c, first);
      double sum = sum_of(state, c);
      for (int32_t i = 0; i < count; ++i) sum += row[i];
      std::memcpy(double_of(state, c), &sum, sizeof sum);
    }
  }
  void compute(std::span<const Stretch> operands, int64_t /*first*/, int32_t /*count*/, const OutputStretch& out,
               float* state) const override {
    for (int32_t c = 0; c < out_channels(); ++c) {
      *out.row(c) = static_cast<float>(sum_of(state, c) / static_cast<double>(operands[0].length));
    }
  }
  void backward(const OperationGradient& gradient, int64_t /*first*/, int32_t /*count*/) const override {
    const int64_t length = gradient.operands[0].length;
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float share = *gradient.output_gradients.at(c, 0) / static_cast<float>(length);
      for (int64_t t = 0; t < length; ++t) to.row(c)[t] += share;
    }
  }

 private:
  template <class Float>
  static Float* double_of(Float* state, int32_t channel) {
    return state + 2 * static_cast<size_t>(channel);
  }
  static double sum_of(const float* state, int32_t channel) {
    double sum = 0;
    std::memcpy(&sum, double_of(state, channel), sizeof sum);
    return sum;
  }
};

}  // namespace

MadeOperation make_global_pool(const OperationSpec& spec, OperationId id) {
  const int32_t channels = spec.channels[0];
  return spec.kind == "globalMaxPool" ? made<GlobalMaxPool>(channels, id) : made<GlobalAveragePool>(channels, id);
}

}  // namespace conv1d
