// layerNorm: over the channels at each time; numbers = eps, the channels' weights, their biases. groupNorm,
// instanceNorm: over time and the channels of a group; numbers = groups, eps, weights, biases. batchNorm: with means
// and variances that it has, or in training over time and all images; numbers = eps, momentum, weights, biases, running
// means, running variances. Means and biased variances as PyTorch's, summed in float64. Weights and biases are
// parameters.
#include <algorithm>
#include <cmath>

#include "operations/affine.h"
#include "operations/kinds.h"

namespace conv1d {
namespace {

// Times that are worked on at once, so that rows are read in stretches.
constexpr int32_t kBlock = 64;

// Rows that are normalised together.
struct Rows {
  const float* data;
  size_t pitch;
  int32_t count;
  int32_t length;

  double values() const { return static_cast<double>(count) * length; }
  const float* row(int32_t i) const { return data + static_cast<size_t>(i) * pitch; }
};

struct Moments {
  double mean;
  double variance;
};

Moments moments_of(const Rows& in) {
  const auto mean_of = [&](auto f) {
    double sum = 0;
    for (int32_t r = 0; r < in.count; ++r) {
      for (int32_t i = 0; i < in.length; ++i) sum += f(in.row(r)[i]);
    }
    return sum / in.values();
  };
  const double mean = mean_of([](float x) { return x; });
  return {mean, mean_of([&](float x) { return (x - mean) * (x - mean); })};
}

// What becomes of normalised rows: each has weight and bias of its own, or `step` is 0.
struct Scaling {
  const double* weight;
  const double* bias;
  size_t step;
};

// Rows less `mean`, times `scale`, times weight, and bias.
void normalize(const Rows& in, double mean, double scale, const Scaling& own, float* out, size_t pitch) {
  for (int32_t r = 0; r < in.count; ++r) {
    const float* row = in.row(r);
    float* to = out + static_cast<size_t>(r) * pitch;
    const double weight = own.weight[static_cast<size_t>(r) * own.step];
    const double bias = own.bias[static_cast<size_t>(r) * own.step];
    for (int32_t i = 0; i < in.length; ++i) to[i] = static_cast<float>((row[i] - mean) * scale * weight + bias);
  }
}

// Gradients of normalised rows; null where nobody asks for them.
struct RowGradients {
  const float* output;
  size_t output_pitch;
  float* operand;
  size_t operand_pitch;
  float* parameters;  // of the first row's weight; those of biases are `channels` further
  size_t channels;
};

// With n the normalised values and g = weight * gradient: scale (g - mean(g) - n mean(g n)). Of the weight it is the
// sum of gradient * n, of the bias that of the gradient.
void normalize_backward(const Rows& in, double mean, double scale, const Scaling& own, const RowGradients& to) {
  double sum = 0;
  double product = 0;
  for (int32_t r = 0; r < in.count; ++r) {
    const float* row = in.row(r);
    const float* gradient = to.output + static_cast<size_t>(r) * to.output_pitch;
    double own_sum = 0;
    double own_product = 0;
    for (int32_t i = 0; i < in.length; ++i) {
      own_sum += gradient[i];
      own_product += gradient[i] * ((row[i] - mean) * scale);
    }
    const size_t at = static_cast<size_t>(r) * own.step;
    sum += own.weight[at] * own_sum;
    product += own.weight[at] * own_product;
    if (to.parameters == nullptr) continue;
    to.parameters[at] += static_cast<float>(own_product);
    to.parameters[to.channels + at] += static_cast<float>(own_sum);
  }
  if (to.operand == nullptr) return;
  sum /= in.values();
  product /= in.values();
  for (int32_t r = 0; r < in.count; ++r) {
    const float* row = in.row(r);
    const float* gradient = to.output + static_cast<size_t>(r) * to.output_pitch;
    float* operand = to.operand + static_cast<size_t>(r) * to.operand_pitch;
    const double weight = own.weight[static_cast<size_t>(r) * own.step];
    for (int32_t i = 0; i < in.length; ++i) {
      operand[i] += static_cast<float>(scale * (weight * gradient[i] - sum - (row[i] - mean) * scale * product));
    }
  }
}

// What norms have in common: `own` numbers, the last of which is eps, then the channels' weights and biases.
class Norm : public Operation {
 public:
  Norm(const OperationSpec& spec, OperationId id, size_t own) : Operation(spec.channels[0], id), own_(own) {
    has_room_ = numbers_.reserve(spec.numbers.size());
    if (has_room_) std::ranges::copy(spec.numbers, numbers_.data());
  }
  bool has_room() const { return has_room_; }

  size_t parameter_count() const override { return 2 * static_cast<size_t>(out_channels()); }
  std::span<const double> numbers() const override { return {numbers_.data(), numbers_.size()}; }
  void renew(std::span<const double> numbers) override { std::ranges::copy(numbers, numbers_.data()); }

 protected:
  double scale(double variance) const { return 1 / std::sqrt(variance + numbers_[own_ - 1]); }
  Scaling scaling(int32_t channel) const {
    const double* weight = numbers_.data() + own_ + channel;
    return {.weight = weight, .bias = weight + out_channels(), .step = 1};
  }

 private:
  size_t own_;
  bool has_room_;
  Buffer<double> numbers_;
};

class LayerNorm final : public Norm {
 public:
  LayerNorm(const OperationSpec& spec, OperationId id) : Norm(spec, id, 1) {}

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for (int32_t t = 0; t < count; t += kBlock) {
      block(operands[0], first + t, std::min(kBlock, count - t), {out.rows + t, out.pitch});
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    for (int32_t t = 0; t < count; t += kBlock) block_backward(gradient, first + t, std::min(kBlock, count - t));
  }

 private:
  // Means, and what differences from them are multiplied by.
  struct Scales {
    double mean[kBlock] = {};
    double scale[kBlock] = {};
  };
  Scales scales_of(const Stretch& in, int64_t first, int32_t count) const {
    Scales own;
    const auto channels = static_cast<double>(out_channels());
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      for (int32_t i = 0; i < count; ++i) own.mean[i] += row[i];
    }
    for (int32_t i = 0; i < count; ++i) own.mean[i] /= channels;
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      for (int32_t i = 0; i < count; ++i) own.scale[i] += (row[i] - own.mean[i]) * (row[i] - own.mean[i]);
    }
    for (int32_t i = 0; i < count; ++i) own.scale[i] = scale(own.scale[i] / channels);
    return own;
  }

  void block(const Stretch& in, int64_t first, int32_t count, const OutputStretch& out) const {
    const auto [mean, scale] = scales_of(in, first, count);
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = in.at(c, first);
      float* to = out.row(c);
      const Scaling own = scaling(c);
      for (int32_t i = 0; i < count; ++i) {
        to[i] = static_cast<float>((row[i] - mean[i]) * scale[i] * *own.weight + *own.bias);
      }
    }
  }

  // As normalize_backward(), across the rows.
  void block_backward(const OperationGradient& gradient, int64_t first, int32_t count) const {
    const auto [mean, scale] = scales_of(gradient.operands[0], first, count);
    const auto channels = static_cast<size_t>(out_channels());
    float* parameters = gradient.parameter_gradients;
    double sum[kBlock] = {};
    double product[kBlock] = {};
    for (int32_t c = 0; c < out_channels(); ++c) {
      const float* row = gradient.operands[0].at(c, first);
      const float* own = gradient.output_gradients.at(c, first);
      const double weight = *scaling(c).weight;
      double own_sum = 0;
      double own_product = 0;
      for (int32_t i = 0; i < count; ++i) {
        const double normalized = own[i] * ((row[i] - mean[i]) * scale[i]);
        own_sum += own[i];
        own_product += normalized;
        sum[i] += weight * own[i];
        product[i] += weight * normalized;
      }
      if (parameters == nullptr) continue;
      parameters[c] += static_cast<float>(own_product);
      parameters[channels + static_cast<size_t>(c)] += static_cast<float>(own_sum);
    }
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* row = gradient.operands[0].at(c, first);
      const float* own = gradient.output_gradients.at(c, first);
      const double weight = *scaling(c).weight;
      float* operand = to.row(c) + first;
      for (int32_t i = 0; i < count; ++i) {
        const double shared = sum[i] + (row[i] - mean[i]) * scale[i] * product[i];
        operand[i] += static_cast<float>(scale[i] * (weight * own[i] - shared / static_cast<double>(channels)));
      }
    }
  }
};

class GroupNorm final : public Norm {
 public:
  GroupNorm(const OperationSpec& spec, OperationId id) : Norm(spec, id, 2), groups_(spec.integer(0)) {}

  const char* why_not_in_streams() const override { return "it needs the mean of the whole signal"; }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    for_each_group(operands[0], first, count, [&](int32_t channel, const Rows& in) {
      const auto [mean, variance] = moments_of(in);
      normalize(in, mean, scale(variance), scaling(channel), out.row(channel), out.pitch);
    });
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const OutputStretch& to = gradient.operand_gradients[0];
    float* parameters = gradient.parameter_gradients;
    for_each_group(gradient.operands[0], first, count, [&](int32_t channel, const Rows& in) {
      const auto [mean, variance] = moments_of(in);
      normalize_backward(in, mean, scale(variance), scaling(channel),
                         {.output = gradient.output_gradients.at(channel, first),
                          .output_pitch = gradient.output_gradients.pitch,
                          .operand = to.rows == nullptr ? nullptr : to.row(channel) + first,
                          .operand_pitch = to.pitch,
                          .parameters = parameters == nullptr ? nullptr : parameters + channel,
                          .channels = static_cast<size_t>(out_channels())});
    });
  }

 private:
  // Calls f(first channel, rows).
  template <class F>
  void for_each_group(const Stretch& in, int64_t first, int32_t count, const F& f) const {
    const int32_t channels = out_channels() / groups_;
    for (int32_t c = 0; c < out_channels(); c += channels) f(c, {in.at(c, first), in.pitch, channels, count});
  }

  int32_t groups_;
};

// In training the channels of all images are normalised over time and images, and
// running = (1 - momentum) running + momentum batch, of unbiased variances, as PyTorch's BatchNorm1d.
class BatchNorm final : public Affine, public TrainingMode {
 public:
  BatchNorm(const OperationSpec& spec, OperationId id) : Affine(spec.channels[0], id) {
    has_room_ = reserve() && numbers_.reserve(spec.numbers.size());
    if (has_room_) BatchNorm::renew(spec.numbers);
  }
  bool has_room() const { return has_room_; }

  size_t parameter_count() const override { return 2 * static_cast<size_t>(out_channels()); }
  std::span<const double> numbers() const override { return {numbers_.data(), numbers_.size()}; }
  void renew(std::span<const double> numbers) override {
    std::ranges::copy(numbers, numbers_.data());
    for (int32_t c = 0; c < out_channels(); ++c) settle(c);
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    Affine::backward(gradient, first, count);
    if (gradient.parameter_gradients == nullptr) return;
    const Stretch& own = gradient.output_gradients;
    for (int32_t c = 0; c < out_channels(); ++c) {
      normalize_backward({gradient.operands[0].at(c, first), 0, 1, count}, numbers_[at(kMean, c)],
                         1 / spread(numbers_[at(kVariance, c)]), scaling(c),
                         gradients_of(c, own.at(c, first), 0, nullptr, gradient.parameter_gradients));
    }
  }

  TrainingMode* training_mode() override { return this; }
  int64_t least_values() const override { return 2; }

  void train(const Batch& batch, const float* operand, int32_t begin, int32_t end, uint64_t /*seed*/, bool learns,
             float* out) override {
    for (int32_t c = begin; c < end; ++c) {
      const Rows in = rows_of(batch, operand, c);
      const auto [mean, variance] = moments_of(in);
      normalize(in, mean, 1 / spread(variance), scaling(c), out + batch.row(0, c), batch.pitch());
      if (!learns) continue;
      const double momentum = numbers_[1];
      const double values = in.values();
      numbers_[at(kMean, c)] += momentum * (mean - numbers_[at(kMean, c)]);
      numbers_[at(kVariance, c)] += momentum * (variance * values / (values - 1) - numbers_[at(kVariance, c)]);
      settle(c);
    }
  }

  void train_backward(const Batch& batch, const float* operand, const float* output_gradients, int32_t begin,
                      int32_t end, uint64_t /*seed*/, float* operand_gradients,
                      float* parameter_gradients) const override {
    for (int32_t c = begin; c < end; ++c) {
      const Rows in = rows_of(batch, operand, c);
      const auto [mean, variance] = moments_of(in);
      const size_t row = batch.row(0, c);
      float* to = operand_gradients == nullptr ? nullptr : operand_gradients + row;
      normalize_backward(in, mean, 1 / spread(variance), scaling(c),
                         gradients_of(c, output_gradients + row, batch.pitch(), to, parameter_gradients));
    }
  }

 private:
  enum Number : uint8_t { kWeight, kBias, kMean, kVariance };

  size_t at(Number which, int32_t channel) const {
    return 2 + static_cast<size_t>(which) * static_cast<size_t>(out_channels()) + static_cast<size_t>(channel);
  }
  double spread(double variance) const { return std::sqrt(variance + numbers_[0]); }
  Scaling scaling(int32_t channel) const {
    return {numbers_.data() + at(kWeight, channel), numbers_.data() + at(kBias, channel), 0};
  }

  // Makes of a channel's numbers what compute() multiplies by and adds.
  void settle(int32_t channel) {
    const double scale = numbers_[at(kWeight, channel)] / spread(numbers_[at(kVariance, channel)]);
    set(static_cast<size_t>(channel), scale, numbers_[at(kBias, channel)] - numbers_[at(kMean, channel)] * scale);
  }

  static Rows rows_of(const Batch& batch, const float* operand, int32_t channel) {
    return {operand + batch.row(0, channel), batch.pitch(), batch.images, static_cast<int32_t>(batch.length)};
  }

  RowGradients gradients_of(int32_t channel, const float* output, size_t pitch, float* operand,
                            float* parameters) const {
    return {.output = output,
            .output_pitch = pitch,
            .operand = operand,
            .operand_pitch = pitch,
            .parameters = parameters == nullptr ? nullptr : parameters + channel,
            .channels = static_cast<size_t>(out_channels())};
  }

  bool has_room_;
  Buffer<double> numbers_;
};

}  // namespace

MadeOperation make_layer_norm(const OperationSpec& spec, OperationId id) { return made<LayerNorm>(spec, id); }
MadeOperation make_group_norm(const OperationSpec& spec, OperationId id) { return made<GroupNorm>(spec, id); }
MadeOperation make_batch_norm(const OperationSpec& spec, OperationId id) { return made<BatchNorm>(spec, id); }

}  // namespace conv1d
