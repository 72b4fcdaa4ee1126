#include "methods/fft_convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bounds.h"
#include "test_layer.h"

namespace conv1d {
namespace {

Options fft_options(double in_channels, double out_channels, double kernel_size) {
  Options options = layer_options(in_channels, out_channels, kernel_size);
  options.algorithm = "fft";
  return options;
}

// The bound of fft_convolution.h without the norms.
double tolerance_of(const FftCut& cut) { return 0x1p-21 * std::log2(cut.size); }

TEST(FftConvolution, RandomLayersWithinTheBoundOfEachOutput) {
  std::mt19937 random(1);
  const auto pick = [&](int least, int most) { return std::uniform_int_distribution<int>(least, most)(random); };
  ThreadPool pool(1);
  int strided = 0;
  int dilated = 0;
  int blocks = 0;
  for (int round = 0; round < 600; ++round) {
    const int groups = pick(1, 3) > 1 ? 1 : pick(1, 4);
    Options o = fft_options(groups * pick(1, 6), groups * pick(1, 6), pick(1, pick(1, 2) > 1 ? 200 : 9));
    o.groups = groups;
    o.stride = pick(1, 2) > 1 ? 1 : pick(1, 6);
    o.dilation = pick(1, 2) > 1 ? 1 : pick(1, 12);
    o.bias = pick(0, 1) > 0;
    o.pad_left = pick(0, 40);
    o.pad_right = pick(0, 40);
    const int batch = pick(1, 2);
    const int length = pick(41, 900) + static_cast<int>(o.dilation * (o.kernel_size - 1));
    const char* modes[] = {"zeros", "reflect", "replicate", "circular"};
    o.padding_mode = modes[pick(0, 3)];
    TestLayer layer(o, static_cast<uint32_t>(round));
    const auto input = random_values(static_cast<size_t>(batch * o.in_channels * length), 7);
    const auto output = layer.run(input, batch, pool);
    ASSERT_STREQ(layer.forward().explain().algorithm, "fft");
    const FftCut cut = cut_of(layer.forward());
    strided += cut.phases > 1 ? 1 : 0;
    dilated += cut.lanes > 1 ? 1 : 0;
    blocks += cut.blocks > 1 ? 1 : 0;
    const auto expected = layer.expect(input);
    // An output at the edge, or of few products, may have much smaller ones than its block.
    const double least = *std::ranges::max_element(expected.bound) / (o.kernel_size * o.in_channels < 30 ? 1 : 4);
    for (size_t i = 0; i < output.size(); ++i) {
      ASSERT_LE(std::abs(output[i] - expected.values[i]), tolerance_of(cut) * std::max(least, expected.bound[i]))
          << round << " at " << i << ": " << output[i] << " " << expected.values[i];
    }
  }
  EXPECT_GT(strided, 100);
  EXPECT_GT(dilated, 100);
  EXPECT_GT(blocks, 100);
}

// Where 'auto' takes it, with noise.
TEST(FftConvolutionExhaustive, LayersOfAutoWithinTheBoundOfEachOutput) {
  ThreadPool pool(1);
  int taken = 0;
  for (const double kernel_size : {16.0, 24.0, 31.0, 33.0, 64.0, 127.0, 500.0, 1024.0, 3000.0}) {
    for (const double channels : {1.0, 2.0, 5.0, 12.0}) {
      for (const bool depthwise : {true, false}) {
        Options o = layer_options(channels, channels, kernel_size);
        o.groups = depthwise ? channels : 1;
        o.pad_left = o.pad_right = std::floor(kernel_size / 2);
        o.algorithm = "auto";
        TestLayer layer(o, 1);
        const auto input = random_values(static_cast<size_t>(channels) * 6000, 2);
        const auto output = layer.run(input, 1, pool);
        if (layer.forward().explain().algorithm != std::string("fft")) continue;
        ++taken;
        const auto expected = layer.expect(input);
        for (size_t i = 0; i < output.size(); ++i) {
          ASSERT_LE(std::abs(output[i] - expected.values[i]), tolerance_of(cut_of(layer.forward())) * expected.bound[i])
              << kernel_size << " taps, " << channels << " channels at " << i;
        }
      }
    }
  }
  EXPECT_GE(taken, 30);
}

double norm(const float* values, int32_t begin, int32_t end) {
  double sum = 0;
  for (int32_t i = begin; i < end; ++i) sum += static_cast<double>(values[i]) * values[i];
  return std::sqrt(sum);
}

// Signals that swing over 120 dB, one shout in silence, weights that do the same: the norms of the block bound it all.
TEST(FftConvolution, LoudNeighboursWithinTheBoundOfTheBlock) {
  ThreadPool pool(1);
  for (const int32_t taps : {3, 50, 333, 2000}) {
    for (uint32_t kind = 0; kind < 4; ++kind) {
      TestLayer layer(fft_options(2, 2, taps), kind);
      const int32_t length = 9000;
      auto input = random_values(size_t{2} * length, kind + 1);
      for (int32_t i = 0; i < 2 * length; ++i) {
        if (kind == 1) input[i] *= static_cast<float>(std::pow(10.0, 3 * std::sin(i * 0.01)));
        if (kind == 2) input[i] *= i % length == 1000 ? 1e9F : 1e-3F;
        if (kind == 3) input[i] = i % 2 == 0 ? 1.0F : -1.0F;
      }
      auto* w = static_cast<float*>(layer.layer().weight());
      for (int32_t i = 0; i < 4 * taps; ++i) {
        if (kind == 1) w[i] *= static_cast<float>(std::exp(-8.0 * (i % taps) / taps));
        if (kind == 3) w[i] = i % 2 == 0 ? 1.0F : -1.0F;  // all products of one sign
      }
      layer.layer().changed();
      const auto output = layer.run(input, 1, pool);
      const FftCut cut = cut_of(layer.forward());
      const auto expected = layer.expect(input);
      const int32_t out_length = layer.forward().geometry().out_length;
      const auto* bias = static_cast<const float*>(layer.layer().bias());
      for (int32_t o = 0; o < 2; ++o) {
        for (int32_t t = 0; t < out_length; ++t) {
          const int32_t begin = t / cut.outputs * cut.outputs;
          double limit = std::abs(bias[o]);
          for (int32_t c = 0; c < 2; ++c) {
            limit += norm(w + ptrdiff_t{o * 2 + c} * taps, 0, taps) *
                     norm(input.data() + ptrdiff_t{c} * length, begin, std::min(length, begin + cut.size));
          }
          const size_t i = static_cast<size_t>(o) * out_length + t;
          ASSERT_LE(std::abs(output[i] - expected.values[i]), tolerance_of(cut) * limit)
              << taps << " taps, kind " << kind << " at " << t;
        }
      }
    }
  }
}

// Sums of many equal products, whose roundings all go the same way.
TEST(FftConvolution, EqualProductsOfManyChannelsWithinTheBoundOfTheBlock) {
  ThreadPool pool(1);
  constexpr int32_t kChannels = 512;
  constexpr int32_t kTaps = 33;
  Options o = fft_options(kChannels, 1, kTaps);
  o.bias = false;
  TestLayer layer(o, 1);
  std::fill_n(static_cast<float*>(layer.layer().weight()), kChannels * kTaps, 0.1F);
  layer.layer().changed();
  const std::vector<float> input(size_t{kChannels} * 600, 0.1F);
  const auto output = layer.run(input, 1, pool);
  const FftCut cut = cut_of(layer.forward());
  const double factor = static_cast<double>(0.1F) * 0.1F;
  const double norms = factor * std::sqrt(static_cast<double>(kTaps) * cut.size) * kChannels;
  for (const float got : output) {
    ASSERT_NEAR(got, factor * kChannels * kTaps, (tolerance_of(cut) + 0x1p-24 * kChannels) * norms);
  }
}

TEST(FftConvolutionThreads, SameBitsForEveryThreadCountAndCut) {
  struct Shape {
    double in_channels, out_channels, kernel_size, stride, dilation, groups;
    int32_t batch, length;
  };
  constexpr Shape kShapes[] = {{1, 1, 700, 1, 1, 1, 1, 9000},
                               {8, 8, 65, 1, 1, 8, 2, 3000},
                               {5, 12, 64, 1, 1, 1, 1, 300},
                               {6, 6, 40, 3, 2, 2, 2, 900},
                               {1, 7, 300, 2, 6, 1, 1, 5000}};
  for (const Shape& s : kShapes) {
    Options o = fft_options(s.in_channels, s.out_channels, s.kernel_size);
    o.stride = s.stride;
    o.dilation = s.dilation;
    o.groups = s.groups;
    o.activation = "silu";
    TestLayer layer(o, 1);
    const auto input = random_values(static_cast<size_t>(s.batch * s.in_channels * s.length), 2);
    ThreadPool one(1);
    const auto expected = layer.run(input, s.batch, one);
    for (const int threads : {2, 3, 7}) {
      ThreadPool pool(threads);
      EXPECT_EQ(expected, layer.run(input, s.batch, pool)) << s.kernel_size << " on " << threads << " threads";
      std::vector<float> output(expected.size());
      for (int32_t piece = 0; piece < layer.forward().pieces(); ++piece) {
        layer.forward().run_pieces(input.data(), output.data(), pool, piece, piece + 1);
      }
      EXPECT_EQ(expected, output) << s.kernel_size << " piece by piece on " << threads << " threads";
    }
  }
}

// Layers as heavy as a machine can take still pause every ten milliseconds or so.
TEST(FftConvolution, PiecesOfHeavyLayersAreShort) {
  TestLayer layer(fft_options(512, 512, 400), 1);
  ASSERT_FALSE(layer.forward().prepare(1, 2000, 1));
  const FftCut cut = cut_of(layer.forward());
  EXPECT_GT(cut.oc_parts, 4);
  EXPECT_LT(cut.cycles / (cut.blocks * cut.oc_parts), 40e6);
}

TEST(FftConvolution, SaysWhatIsTooLarge) {
  Params params{};
  ASSERT_FALSE(validate(fft_options(16, 16, 2200000), &params));
  Forward forward(graph_of(std::make_shared<Layer>(params)));
  const auto error = forward.prepare(1, 2200000, 1);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "ERR_UNSUPPORTED");
  EXPECT_EQ(error->field, "algorithm");
  EXPECT_NE(error->message.find("kernelSize (2200000)"), std::string::npos) << error->message;
}

}  // namespace
}  // namespace conv1d
