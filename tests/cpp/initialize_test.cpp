#include "options/initialize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "half.h"

namespace conv1d {
namespace {

// 16 x 48 x 25 weights in 2 groups: enough that their mean and deviation say something.
Params layer(const char* dtype) {
  Options options;
  options.in_channels = 32;
  options.out_channels = 48;
  options.kernel_size = 25;
  options.groups = 2;
  options.dtype = dtype;
  Params params{};
  EXPECT_FALSE(validate(options, &params));
  return params;
}

struct Drawn {
  std::vector<float> weight;
  std::vector<float> bias;
};

Drawn draw(InitScheme scheme, uint64_t seed) {
  const Params params = layer("float32");
  Drawn drawn{std::vector<float>(static_cast<size_t>(params.weight_size())), std::vector<float>(48, 9)};
  initialize(params, scheme, seed, drawn.weight.data(), drawn.bias.data());
  return drawn;
}

struct Moments {
  double mean;
  double deviation;
  double largest;
};

Moments moments_of(const std::vector<float>& values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  double squares = 0;
  double largest = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
    largest = std::max(largest, std::abs(value));
  }
  return {sum / n, std::sqrt(squares / n), largest};
}

// 19200 draws: their mean is within 4 standard errors of 0, their deviation within 3 %.
TEST(Initialize, AsMegEngineDraws) {
  const Drawn drawn = draw(InitScheme::kMegEngine, 1);
  const double deviation = std::sqrt(1.0 / (25 * 32));
  const Moments weight = moments_of(drawn.weight);
  EXPECT_NEAR(weight.mean, 0, 4 * deviation / std::sqrt(19200.0));
  EXPECT_NEAR(weight.deviation, deviation, 0.03 * deviation);
  EXPECT_GT(weight.largest, 3 * deviation) << "a normal distribution has tails";
  EXPECT_EQ(drawn.bias, std::vector<float>(48));
}

TEST(Initialize, AsPyTorchDraws) {
  const Drawn drawn = draw(InitScheme::kPyTorch, 1);
  const double limit = 1 / std::sqrt(16.0 * 25);
  const Moments weight = moments_of(drawn.weight);
  EXPECT_NEAR(weight.mean, 0, 4 * limit / std::sqrt(3.0 * 19200));
  EXPECT_NEAR(weight.deviation, limit / std::sqrt(3.0), 0.03 * limit);
  EXPECT_LE(weight.largest, limit);
  EXPECT_GT(weight.largest, 0.99 * limit);
  const Moments bias = moments_of(drawn.bias);
  EXPECT_LE(bias.largest, limit);
  EXPECT_GT(bias.largest, 0.8 * limit);
}

TEST(Initialize, IsTheSameForTheSameSeedAlone) {
  for (const InitScheme scheme : {InitScheme::kMegEngine, InitScheme::kPyTorch}) {
    EXPECT_EQ(draw(scheme, 7).weight, draw(scheme, 7).weight);
    EXPECT_EQ(draw(scheme, 7).bias, draw(scheme, 7).bias);
    EXPECT_NE(draw(scheme, 7).weight, draw(scheme, 8).weight);
    EXPECT_NE(draw(scheme, 7).weight, draw(scheme, uint64_t{7} << 32).weight) << "all 64 bits count";
  }
}

TEST(Initialize, Float16IsFloat32Rounded) {
  const Params params = layer("float16");
  for (const InitScheme scheme : {InitScheme::kMegEngine, InitScheme::kPyTorch}) {
    const Drawn drawn = draw(scheme, 3);
    std::vector<uint16_t> expected(drawn.weight.size());
    floats_to_halves(drawn.weight.data(), expected.data(), expected.size());
    std::vector<uint16_t> weight(expected.size());
    initialize(params, scheme, 3, weight.data(), nullptr);
    EXPECT_EQ(weight, expected);
  }
}

}  // namespace
}  // namespace conv1d
