// Layers with random weights, for the tests of plans and streams.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "half.h"
#include "passes/plan.h"
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
class Layer {
 public:
  Layer(const Options& options, uint32_t seed) : plan_(std::make_shared<Plan>(params_of(options))) {
    EXPECT_TRUE(plan_->allocate());
    const auto fill = [&](void* parameters, int64_t count, uint32_t own_seed) {
      const auto values = random_values(static_cast<size_t>(count), own_seed);
      if (plan_->params().dtype == DType::kFloat32) {
        std::ranges::copy(values, static_cast<float*>(parameters));
      } else {
        floats_to_halves(values.data(), static_cast<uint16_t*>(parameters), values.size());
      }
    };
    fill(plan_->weights().weight(), plan_->params().weight_size(), seed);
    if (plan_->weights().bias() != nullptr) fill(plan_->weights().bias(), plan_->params().out_channels, seed + 1);
    plan_->weights().changed();
  }

  std::vector<float> run(const std::vector<float>& input, int32_t batch, ThreadPool& pool) {
    const auto length = static_cast<double>(input.size()) / batch / plan_->params().in_channels;
    const auto error = plan_->prepare(batch, length, pool.threads());
    EXPECT_FALSE(error) << error->message;
    const Geometry& g = plan_->geometry();
    std::vector<float> output(static_cast<size_t>(g.batch) * plan_->params().out_channels * g.out_length);
    plan_->run(input.data(), output.data(), pool);
    return output;
  }

  // What the prepared shape should give, of float32 layers, before the activation: values, and of each the sum of its
  // terms' magnitudes.
  struct Expected {
    std::vector<double> values;
    std::vector<double> bound;
  };
  Expected expect(const std::vector<float>& input) {
    const Params& p = plan_->params();
    const Geometry& g = plan_->geometry();
    const auto wide = [](const void* values, int64_t count) {
      const auto* floats = static_cast<const float*>(values);
      return floats == nullptr ? std::vector<double>() : std::vector<double>(floats, floats + count);
    };
    const auto x = wide(input.data(), static_cast<int64_t>(input.size()));
    const auto w = wide(plan_->weights().weight(), p.weight_size());
    const auto b = wide(plan_->weights().bias(), p.out_channels);
    const size_t outputs = static_cast<size_t>(g.batch) * p.out_channels * g.out_length;
    Expected expected{std::vector<double>(outputs), std::vector<double>(outputs)};
    reference_conv1d(p, g, x.data(), w.data(), b.empty() ? nullptr : b.data(), expected.values.data(),
                     expected.bound.data());
    return expected;
  }

  Plan& plan() { return *plan_; }
  std::shared_ptr<Plan> share() { return plan_; }

 private:
  static Params params_of(const Options& options) {
    Params params{};
    const auto error = validate(options, &params);
    EXPECT_FALSE(error) << error->message;
    return params;
  }

  std::shared_ptr<Plan> plan_;
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
