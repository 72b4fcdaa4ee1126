#include "methods/toom_cook.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bounds.h"
#include "choose/cost.h"
#include "test_layer.h"

namespace conv1d {
namespace {

Options toom_options(double in_channels, double out_channels, double kernel_size) {
  Options options = layer_options(in_channels, out_channels, kernel_size);
  options.algorithm = "toom_cook";
  return options;
}

std::string describe(const Options& o, int32_t batch, int32_t length) {
  std::string text;
  for (const double value : {o.in_channels, o.out_channels, o.kernel_size, o.stride, o.dilation, o.groups, o.pad_left,
                             o.pad_right, static_cast<double>(batch), static_cast<double>(length)}) {
    text += std::to_string(static_cast<int>(value)) + " ";
  }
  return text + o.padding_mode + " " + o.dtype;
}

// The form in which a layer's taps come, and how many of them.
TEST(ToomCook, TapsAreCutIntoChunksAndSingleOnes) {
  struct Row {
    double kernel_size, stride, dilation;
    int32_t phases, chunk_taps, chunks, depth, single_depth;
  };
  // clang-format off
  constexpr Row kRows[] = {
      // kernel  stride  dilation | phases  chunk taps  chunks  depth  single depth
      {     2,       1,        1,        1,           2,       1,      3,            0},
      {     3,       1,        7,        1,           3,       1,      3,            0},
      {     4,       1,        1,        1,           4,       1,      3,            0},
      {     5,       1,        1,        1,           5,       1,      3,            0},
      {     6,       1,        1,        1,           4,       2,      6,            0},
      {     7,       1,        1,        1,           4,       2,      6,            0},
      {     8,       1,        1,        1,           4,       2,      6,            0},
      {     9,       1,        1,        1,           4,       3,      6,            3},
      {    11,       1,        1,        1,           4,       3,      9,            0},
      {    13,       1,        1,        1,           4,       4,      9,            3},
      {     3,       2,        1,        2,           2,       1,      3,            3},
      {     4,       2,        1,        2,           2,       1,      6,            0},
      {     3,       2,        2,        1,           3,       1,      3,            0},
      {     8,       4,        1,        4,           2,       1,     12,            0},
      {     9,       4,        1,        4,           3,       1,     12,            0},
      {    11,       2,        1,        2,           4,       2,      9,            3},
  };
  // clang-format on
  for (const Row& row : kRows) {
    Options o = toom_options(3, 1, row.kernel_size);
    o.stride = row.stride;
    o.dilation = row.dilation;
    Params params{};
    ASSERT_FALSE(validate(o, &params));
    const ToomCut cut = cut_taps(params);
    EXPECT_EQ(cut.phases, row.phases) << row.kernel_size;
    EXPECT_EQ(cut.chunk_taps, row.chunk_taps) << row.kernel_size;
    EXPECT_EQ(cut.chunks, row.chunks) << row.kernel_size;
    EXPECT_EQ(cut.depth, row.depth) << row.kernel_size;
    EXPECT_EQ(cut.single_depth, row.single_depth) << row.kernel_size;
  }
}

// Small integers, for which every form's coefficients and products are exact enough to see a wrong one.
TEST(ToomCook, EveryFormComputesItsDefinition) {
  for (int32_t taps = 2; taps <= 5; ++taps) {
    const ToomForm& form = toom_form(taps);
    ASSERT_EQ(form.taps, taps);
    ASSERT_EQ(form.points, taps + 3);
    const std::vector<double> weights = {3, -2, 5, 1, -4};
    std::vector<double> transformed(8);
    form.transform_weights(weights.data(), transformed.data());
    constexpr size_t kPitch = 16;
    std::vector<float> rows(kToomOutputs * kPitch);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>((i * 7 + i / 5) % 13) - 6;
    std::vector<float> points(8 * kPitch);
    std::vector<float> magnitudes(rows.size(), 100);
    form.transform_input({.rows = rows.data(),
                          .row_stride = kPitch,
                          .next = 1,
                          .count = 5,
                          .points = points.data(),
                          .point_stride = kPitch,
                          .magnitudes = magnitudes.data()});
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(magnitudes[i], i % kPitch < 8 ? 100 + std::fabs(rows[i]) : 100) << "form " << taps << ", sample " << i;
    }
    for (size_t p = 0; p < static_cast<size_t>(form.points); ++p) {
      for (size_t l = 0; l < 8; ++l) points[p * kPitch + l] *= static_cast<float>(transformed[p]);
    }
    std::vector<float> outputs(kToomOutputs * kPitch, 100);
    form.transform_output(
        {.points = points.data(), .point_stride = kPitch, .count = 5, .rows = outputs.data(), .row_stride = kPitch});
    for (size_t l = 0; l < 5; ++l) {
      for (size_t a = 0; a < kToomOutputs; ++a) {
        double expected = 100;
        for (size_t k = 0; k < static_cast<size_t>(taps); ++k) {
          expected += weights[k] * rows[(a + k) % 4 * kPitch + l + (a + k) / 4];
        }
        EXPECT_NEAR(outputs[a * kPitch + l], expected, 1e-4) << taps << " taps, tile " << l << " output " << a;
      }
    }
  }
}

// Any layer, any signal: noise, one that swings over 120 dB, silence with one loud sample, weights of all magnitudes.
TEST(ToomCook, RandomLayersWithinTheBoundOfTheTile) {
  std::mt19937 random(1);
  const auto pick = [&](int least, int most) { return std::uniform_int_distribution<int>(least, most)(random); };
  ThreadPool pool(1);
  double worst = 0;
  for (int round = 0; round < 500; ++round) {
    const int groups = pick(1, 4) > 1 ? 1 : pick(1, 4);
    Options o = toom_options(groups * pick(1, 9), groups * pick(1, 20), pick(2, 20));
    o.groups = groups;
    o.stride = pick(1, 4) > 1 ? 1 : pick(1, 5);
    o.dilation = pick(1, 2) > 1 ? 1 : pick(1, 30);
    if (o.kernel_size <= o.stride) o.kernel_size = o.stride + 1;
    o.pad_left = pick(0, 40);
    o.pad_right = pick(0, 40);
    const int batch = pick(1, 2);
    const int length = pick(41, 500) + static_cast<int>(o.dilation * (o.kernel_size - 1));
    TestLayer layer(o, static_cast<uint32_t>(round));
    const Params& p = layer.params();
    auto input = random_values(static_cast<size_t>(batch) * p.in_channels * length, 7);
    const int kind = pick(0, 3);
    auto* w = static_cast<float*>(layer.layer().weight());
    if (kind == 1) {
      for (size_t i = 0; i < input.size(); ++i) {
        input[i] *= static_cast<float>(std::pow(10.0, 3 * std::sin(static_cast<double>(i) * 0.3)));
      }
    }
    if (kind == 2) {
      for (size_t i = 0; i < input.size(); ++i) input[i] *= i % 53 == 20 ? 1e6F : 1e-3F;
    }
    if (kind == 3) {
      for (int64_t i = 0; i < p.weight_size(); ++i) w[i] *= static_cast<float>(std::pow(10.0, pick(-3, 3)));
    }
    layer.layer().changed();
    const auto output = layer.run(input, batch, pool);
    ASSERT_STREQ(layer.forward().explain().algorithm, "toom_cook");
    const auto expected = layer.expect(input);
    const std::vector<double> x(input.begin(), input.end());
    const std::vector<double> weights(w, w + p.weight_size());
    const auto* b = static_cast<const float*>(layer.layer().bias());
    const std::vector<double> bias(b, b + p.out_channels);
    const auto bounds = Sums{p, layer.forward().geometry(), x, weights, bias}.of_tiles();
    for (size_t i = 0; i < output.size(); ++i) {
      const double bound = bounds[i];
      const double error = std::abs(output[i] - expected.values[i]);
      ASSERT_LE(error, 0x1p-19 * bound) << describe(o, batch, length) << " kind " << kind << " at " << i << " "
                                        << output[i] << " " << expected.values[i];
      worst = std::max(worst, error / bound);
    }
  }
  EXPECT_GT(worst, 0x1p-25) << "the bound says nothing";
}

TEST(ToomCook, EveryPaddingModeAndDType) {
  ThreadPool pool(1);
  for (const char* mode : {"zeros", "reflect", "replicate", "circular"}) {
    for (const char* dtype : {"float32", "float16"}) {
      for (const double dilation : {1.0, 3.0, 40.0}) {
        for (const double stride : {1.0, 2.0}) {
          Options o = toom_options(5, 7, 6);
          o.padding_mode = mode;
          o.dtype = dtype;
          o.dilation = dilation;
          o.stride = stride;
          o.pad_left = 17;
          o.pad_right = 30;
          o.activation = "silu";
          const auto run = [&](const char* algorithm) {
            o.algorithm = algorithm;
            TestLayer layer(o, 3);
            const auto input = random_values(size_t{5} * 301, 4);
            if (layer.params().dtype == DType::kFloat32) {
              const auto output = layer.run(input, 1, pool);
              return std::vector<double>(output.begin(), output.end());
            }
            std::vector<uint16_t> halves(input.size());
            floats_to_halves(input.data(), halves.data(), halves.size());
            EXPECT_FALSE(layer.forward().prepare(1, 301, 1));
            std::vector<uint16_t> output(static_cast<size_t>(7) * layer.forward().geometry().out_length);
            layer.forward().run(halves.data(), output.data(), pool);
            std::vector<double> result(output.size());
            std::ranges::transform(output, result.begin(), half_to_float);
            return result;
          };
          const auto expected = run("direct");
          const auto got = run("toom_cook");
          ASSERT_EQ(got.size(), expected.size());
          for (size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], expected[i], o.dtype == "float32" ? 1e-4 : 0.02) << describe(o, 1, 301) << " at " << i;
          }
        }
      }
    }
  }
}

// What 'auto' takes it for keeps each output's own bound, with noise.
TEST(ToomCookExhaustive, LayersOfAutoWithinTheBoundOfEachOutput) {
  ThreadPool pool(1);
  int taken = 0;
  for (const double kernel_size : {2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, 11.0, 16.0, 33.0}) {
    for (const double in_channels : {4.0, 8.0, 16.0, 32.0, 64.0, 200.0}) {
      for (const double stride : {1.0, 2.0}) {
        Options o = toom_options(in_channels, 24, kernel_size);
        o.stride = stride;
        Params params{};
        if (validate(o, &params)) continue;
        Geometry geometry{};
        const int32_t length = 4000;
        ASSERT_FALSE(resolve(params, 1, length, &geometry));
        if (!std::isfinite(toom_cook_cost(correlation_of(params, geometry)))) continue;
        ++taken;
        TestLayer layer(o, 1);
        const auto input = random_values(static_cast<size_t>(in_channels * length), 2);
        const auto output = layer.run(input, 1, pool);
        const auto expected = layer.expect(input);
        for (size_t i = 0; i < output.size(); ++i) {
          ASSERT_LE(std::abs(output[i] - expected.values[i]), 0x1p-20 * expected.bound[i])
              << kernel_size << " taps, " << in_channels << " channels, stride " << stride << " at " << i;
        }
      }
    }
  }
  EXPECT_GE(taken, 50);
}

TEST(ToomCook, PiecesOfHeavyLayersAreShort) {
  struct Shape {
    double in_channels, out_channels, kernel_size, dilation;
    int32_t length;
  };
  for (const Shape& s : {Shape{1024, 1024, 9, 1, 1008}, Shape{2048, 2048, 5, 1, 68}, Shape{512, 512, 3, 300, 3000}}) {
    Options o = toom_options(s.in_channels, s.out_channels, s.kernel_size);
    o.dilation = s.dilation;
    TestLayer layer(o, 1);
    ASSERT_FALSE(layer.forward().prepare(1, s.length, 1));
    EXPECT_LE(layer.forward().explain().flops / 2 / layer.forward().pieces(), 450e6) << s.in_channels;
  }
}

// Sizes whose products overflow what an index can hold are refused, not wrapped.
TEST(ToomCook, SaysWhatIsTooLarge) {
  constexpr double kTaps = 5e6;
  for (const double dilation : {1.0, 100.0}) {
    Options o = toom_options(1, 1, kTaps);
    o.dilation = dilation;
    o.pad_left = o.pad_right = dilation * kTaps / 2;
    Params params{};
    ASSERT_FALSE(validate(o, &params));
    Forward forward(graph_of(std::make_shared<Layer>(params)));
    const auto error = forward.prepare(1, 10, 1);
    if (dilation == 1) {
      ASSERT_FALSE(error) << error->message;
      EXPECT_LT(static_cast<double>(forward.explain().scratch_bytes), 25 * kTaps * sizeof(float));
    } else {
      ASSERT_TRUE(error);
      EXPECT_EQ(error->code, "ERR_OUT_OF_MEMORY");
    }
  }
}

TEST(ToomCook, NeedsTapsToCombine) {
  for (const double stride : {1.0, 5.0}) {
    Options o = toom_options(3, 3, stride);
    o.stride = stride;
    Params params{};
    const auto error = validate(o, &params);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "ERR_UNSUPPORTED");
    EXPECT_EQ(error->field, "algorithm");
  }
}

}  // namespace
}  // namespace conv1d
