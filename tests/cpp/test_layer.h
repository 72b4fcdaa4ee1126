// Layers with random weights, for the tests of forward passes and streams.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "half.h"
#include "passes/forward.h"
#include "reference.h"

namespace conv1d {

inline std::vector<float> random_values(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// One layer with random weights, and its output for any input.
class TestLayer {
 public:
  TestLayer(const Options& options, uint32_t seed)
      : layer_(std::make_shared<Layer>(params_of(options))), forward_(graph_of(layer_)) {
    EXPECT_TRUE(layer_->allocate());
    const auto fill = [&](void* parameters, int64_t count, uint32_t own_seed) {
      const auto values = random_values(static_cast<size_t>(count), own_seed);
      if (layer_->params().dtype == DType::kFloat32) {
        std::ranges::copy(values, static_cast<float*>(parameters));
      } else {
        floats_to_halves(values.data(), static_cast<uint16_t*>(parameters), values.size());
      }
    };
    fill(layer_->weight(), layer_->params().weight_size(), seed);
    if (layer_->bias() != nullptr) fill(layer_->bias(), layer_->params().out_channels, seed + 1);
    layer_->changed();
  }

  std::vector<float> run(const std::vector<float>& input, int32_t batch, ThreadPool& pool) {
    const auto length = static_cast<double>(input.size()) / batch / layer_->params().in_channels;
    const auto error = forward_.prepare(batch, length, pool.threads());
    EXPECT_FALSE(error) << error->message;
    const Geometry& g = forward_.geometry();
    std::vector<float> output(static_cast<size_t>(g.batch) * layer_->params().out_channels * g.out_length);
    forward_.run(input.data(), output.data(), pool);
    return output;
  }

  // What the prepared shape should give, of float32 layers, before the activation: values, and of each the sum of its
  // terms' magnitudes.
  struct Expected {
    std::vector<double> values;
    std::vector<double> bound;
  };
  Expected expect(const std::vector<float>& input) {
    const Params& p = layer_->params();
    const Geometry& g = forward_.geometry();
    const auto wide = [](const void* values, int64_t count) {
      const auto* floats = static_cast<const float*>(values);
      return floats == nullptr ? std::vector<double>() : std::vector<double>(floats, floats + count);
    };
    const auto x = wide(input.data(), static_cast<int64_t>(input.size()));
    const auto w = wide(layer_->weight(), p.weight_size());
    const auto b = wide(layer_->bias(), p.out_channels);
    const size_t outputs = static_cast<size_t>(g.batch) * p.out_channels * g.out_length;
    Expected expected{std::vector<double>(outputs), std::vector<double>(outputs)};
    reference_conv1d(p, g, x.data(), w.data(), b.empty() ? nullptr : b.data(), expected.values.data(),
                     expected.bound.data());
    return expected;
  }

  const Params& params() const { return layer_->params(); }
  Layer& layer() { return *layer_; }
  Forward& forward() { return forward_; }
  std::shared_ptr<Layer> share() { return layer_; }

 private:
  static Params params_of(const Options& options) {
    Params params{};
    const auto error = validate(options, &params);
    EXPECT_FALSE(error) << error->message;
    return params;
  }

  std::shared_ptr<Layer> layer_;
  Forward forward_;
};

// Computed directly, unless a test says otherwise: most of them look at bits.
inline Options layer_options(double in_channels, double out_channels, double kernel_size) {
  Options options;
  options.in_channels = in_channels;
  options.out_channels = out_channels;
  options.kernel_size = kernel_size;
  options.algorithm = "direct";
  return options;
}

}  // namespace conv1d
