// softmax, logSoftmax: over the channels at each time. layerNorm: likewise; numbers = eps, the channels' weights,
// their biases. groupNorm, instanceNorm: over time and the channels of a group; numbers = groups, eps, weights, biases.
// Means and biased variances as PyTorch's, summed in float64.
#include <algorithm>
#include <cmath>

#include "buffer.h"
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

  bool is_log_;
};

// What becomes of normalised values, for each channel.
class Norm : public Operation {
 public:
  Norm(const OperationSpec& spec, OperationId id, size_t at) : Operation(spec.channels[0], id), eps_(spec.numbers[at]) {
    const auto channels = static_cast<size_t>(out_channels());
    has_room_ = affine_.reserve(2 * channels);
    for (size_t i = 0; has_room_ && i < 2 * channels; ++i) affine_[i] = spec.numbers[at + 1 + i];
  }
  bool has_room() const { return has_room_; }

 protected:
  double scale(double variance) const { return 1 / std::sqrt(variance + eps_); }
  double weight(int32_t channel) const { return affine_[static_cast<size_t>(channel)]; }
  double bias(int32_t channel) const {
    return affine_[static_cast<size_t>(out_channels()) + static_cast<size_t>(channel)];
  }

 private:
  double eps_;
  bool has_room_;
  Buffer<double> affine_;
};

class LayerNorm final : public Norm {
 public:
  LayerNorm(const OperationSpec& spec, OperationId id) : Norm(spec, id, 0) {}

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t t = 0; t < count; t += kBlock) {
      block(operands[0], first + t, std::min(kBlock, count - t), {out.rows + t, out.pitch});
    }
  }

 private:
  void block(const Stretch& in, int64_t first, int32_t count, const OutputStretch& out) const {
    double mean[kBlock] = {};
    double spread[kBlock] = {};
    const auto channels = static_cast<double>(out_channels());
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      for (int32_t i = 0; i < count; ++i) mean[i] += row[i];
    }
    for (int32_t i = 0; i < count; ++i) mean[i] /= channels;
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      for (int32_t i = 0; i < count; ++i) spread[i] += (row[i] - mean[i]) * (row[i] - mean[i]);
    }
    for (int32_t i = 0; i < count; ++i) spread[i] = scale(spread[i] / channels);
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      float* to = out.row(c);
      for (int32_t i = 0; i < count; ++i) {
        to[i] = static_cast<float>((row[i] - mean[i]) * spread[i] * weight(c) + bias(c));
      }
    }
  }
};

class GroupNorm final : public Norm {
 public:
  GroupNorm(const OperationSpec& spec, OperationId id) : Norm(spec, id, 1), groups_(spec.integer(0)) {}

  const char* why_not_in_streams() const override { return "it needs the mean of the whole signal"; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    const int32_t channels = out_channels() / groups_;
    const double values = static_cast<double>(channels) * count;
    for (int32_t begin = 0; begin < out_channels(); begin += channels) {
      const auto sum_of = [&](auto f) {
        double sum = 0;
        for (int32_t c = begin; c < begin + channels; ++c) {
          const float* row = operands[0].at(c, first);
          for (int32_t i = 0; i < count; ++i) sum += f(row[i]);
        }
        return sum;
      };
      const double mean = sum_of([](float x) { return x; }) / values;
      const double own_scale = scale(sum_of([&](float x) { return (x - mean) * (x - mean); }) / values);
      for (int32_t c = begin; c < begin + channels; ++c) {
        const float* row = operands[0].at(c, first);
        float* to = out.row(c);
        for (int32_t i = 0; i < count; ++i) {
          to[i] = static_cast<float>((row[i] - mean) * own_scale * weight(c) + bias(c));
        }
      }
    }
  }

 private:
  int32_t groups_;
};

}  // namespace

MadeOperation make_softmax(const OperationSpec& spec, OperationId id) { return made<Softmax>(spec, id); }
MadeOperation make_layer_norm(const OperationSpec& spec, OperationId id) { return made<LayerNorm>(spec, id); }
MadeOperation make_group_norm(const OperationSpec& spec, OperationId id) { return made<GroupNorm>(spec, id); }

}  // namespace conv1d
