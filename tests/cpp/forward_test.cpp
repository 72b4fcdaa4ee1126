#include "passes/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cases.h"
#include "test_layer.h"

namespace conv1d {
namespace {

TEST(Fixtures, ThereAreAtLeast400) { EXPECT_GE(cases().size(), 400U); }

TEST(Fixtures, AllWithinToleranceByEveryAlgorithm) {
  std::map<Algorithm, size_t> computed;
  for (Case c : cases()) {
    for (const Algorithm algorithm : algorithms_of(c)) {
      c.params.algorithm = algorithm;
      const std::vector<double> got = run_case(c, 1);
      ASSERT_EQ(got.size(), c.expected.size()) << c.name;
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_LE(std::abs(got[i] - c.expected[i]), tolerance(c, i))
            << c.name << " at " << i << " by " << algorithm_name(algorithm);
      }
      ++computed[algorithm];
    }
  }
  EXPECT_EQ(computed[Algorithm::kDirect], cases().size());
  EXPECT_EQ(computed[Algorithm::kFft], cases().size());
  EXPECT_GE(computed[Algorithm::kToomCook], 300U);
}

TEST(FixturesThreads, SameBitsForEveryThreadCount) {
  for (Case c : cases()) {
    for (const Algorithm algorithm : algorithms_of(c)) {
      c.params.algorithm = algorithm;
      std::vector<uint8_t> one;
      run_case(c, 1, &one);
      for (const int threads : {2, 3, 7}) {
        std::vector<uint8_t> more;
        run_case(c, threads, &more);
        EXPECT_EQ(one, more) << c.name << " by " << algorithm_name(algorithm) << " on " << threads << " threads";
      }
    }
  }
}

struct Shape {
  const char* what;
  double in_channels, out_channels, kernel_size, stride, padding, dilation, groups;
  int32_t batch, length;
};

// Large enough that threads share the work and every way of reading the input occurs.
// clang-format off
constexpr Shape kShapes[] = {
    // what                in   out  kernel  stride  padding  dilation  groups  batch  length
    {"packed span",         37,   29,      3,      1,       1,        1,      1,     2,    501},
    {"strided",             23,   27,      5,      3,       4,        2,      1,     1,    701},
    {"stride 2",            16,   24,      4,      2,       1,        1,      1,     3,    333},
    {"tap windows",         48,   64,      3,      1,     700,      700,      1,     1,    900},
    {"strided windows",     64,   66,      3,      2,     400,      401,      1,     1,   1500},
    {"read directly",        8,    8,      3,      1,       5,        5,      1,     1,    997},
    {"depthwise",           48,   48,      7,      1,       3,        1,     48,     2,    613},
    {"multiplier 3",        16,   48,      5,      2,       2,        1,     16,     1,    400},
    {"pointwise",           64,   70,      1,      1,       0,        1,      1,     1,    777},
    {"one long row",         1,    1,    301,      1,     150,        1,      1,     1,   5000},
    {"few outputs",        256,   96,      9,      1,       0,        1,      1,     1,     12},
    {"short rows",          96,   63,      5,      1,       1,        1,      1,     3,      9},
    {"one output",          64,  101,      3,      1,       0,        1,      1,     2,      3},
    {"short and strided",   40,   31,      4,      5,       3,        1,      1,     2,     21},
    {"narrow groups",       64,   40,      3,      1,       1,        1,      8,     4,    129},
};
// clang-format on

Options options_of(const Shape& s, const char* algorithm = "direct") {
  Options options = layer_options(s.in_channels, s.out_channels, s.kernel_size);
  options.algorithm = algorithm;
  options.stride = s.stride;
  options.pad_left = options.pad_right = s.padding;
  options.dilation = s.dilation;
  options.groups = s.groups;
  return options;
}

constexpr const char* kAlgorithms[] = {"direct", "toom_cook", "fft"};

// Calls f(shape, options) with every algorithm that can compute the shape.
template <class F>
void for_every_algorithm(const F& f) {
  for (const Shape& s : kShapes) {
    for (const char* algorithm : kAlgorithms) {
      const Options options = options_of(s, algorithm);
      Params params{};
      if (!validate(options, &params)) f(s, options);
    }
  }
}

TEST(PlanThreads, SameBitsOnLargeLayersForEveryThreadCount) {
  for_every_algorithm([](const Shape& s, const Options& options) {
    TestLayer layer(options, 1);
    const auto input = random_values(static_cast<size_t>(s.batch * s.in_channels * s.length), 2);
    ThreadPool one(1);
    const auto expected = layer.run(input, s.batch, one);
    EXPECT_EQ(layer.forward().explain().algorithm, options.algorithm);
    for (const int threads : {2, 3, 7}) {
      ThreadPool pool(threads);
      EXPECT_EQ(expected, layer.run(input, s.batch, pool))
          << s.what << " by " << options.algorithm << " on " << threads << " threads";
    }
    if (options.algorithm == "direct") {
      EXPECT_LE(layer.forward().explain().scratch_bytes, 7 * 1048576.0) << s.what;
    }
  });
}

// A run that pauses after any of its pieces writes what a run in one go does.
TEST(PlanThreads, SameBitsHoweverTheRunIsCut) {
  for_every_algorithm([](const Shape& s, const Options& options) {
    TestLayer layer(options, 1);
    const auto input = random_values(static_cast<size_t>(s.batch * s.in_channels * s.length), 2);
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      const auto expected = layer.run(input, s.batch, pool);
      const int32_t pieces = layer.forward().pieces();
      for (const int32_t step : {1, 2, 7}) {
        std::vector<float> output(expected.size());
        for (int32_t begin = 0; begin < pieces; begin += step) {
          layer.forward().run_pieces(input.data(), output.data(), pool, begin, std::min(pieces, begin + step));
        }
        EXPECT_EQ(expected, output) << s.what << " by " << options.algorithm << ", " << step << " pieces at a time on "
                                    << threads << " threads";
      }
    }
  });
}

// Pieces stay short, so that a run can pause: 200 million multiplications, give or take what rounding adds.
TEST(Forward, PiecesOfHeavyLayersAreShort) {
  // clang-format off
  constexpr Shape kHeavy[] = {
      // what                in   out  kernel  stride  padding  dilation  groups  batch  length
      {"wide",              1024, 1024,      9,      1,       0,        1,      1,     1,   1008},
      {"wide and short",    2048, 2048,      5,      1,       0,        1,      1,     1,     68},
      {"a long filter",        1,    1,  48000,      1,       0,        1,      1,     1,  96000},
      {"long filters",         8,   16,   9000,      1,       0,        1,      1,     1,  30000},
      {"groups",            1024, 1024,      9,      1,       0,        1,      2,     2,   1008},
  };
  // clang-format on
  for (const Shape& s : kHeavy) {
    Params params{};
    ASSERT_FALSE(validate(options_of(s), &params));
    Forward forward(graph_of(std::make_shared<Layer>(params)));
    ASSERT_FALSE(forward.prepare(s.batch, s.length, 1));
    EXPECT_LE(forward.explain().flops / 2 / forward.pieces(), 250e6) << s.what;
  }
}

// However an algorithm was come by.
TEST(Forward, AutoIsTheAlgorithmThatItNames) {
  std::set<std::string> named;
  for (const Shape& s : kShapes) {
    TestLayer automatic(options_of(s, "auto"), 1);
    const auto input = random_values(static_cast<size_t>(s.batch * s.in_channels * s.length), 2);
    ThreadPool pool(1);
    const auto got = automatic.run(input, s.batch, pool);
    const Explanation explanation = automatic.forward().explain();
    TestLayer asked(options_of(s, explanation.algorithm), 1);
    EXPECT_EQ(got, asked.run(input, s.batch, pool)) << s.what;
    EXPECT_EQ(asked.forward().explain().reason, "asked for");
    EXPECT_NE(explanation.reason.find("toom_cook"), std::string::npos) << explanation.reason;
    named.insert(explanation.algorithm);
  }
  EXPECT_EQ(named, (std::set<std::string>{"direct", "toom_cook", "fft"}));
}

TEST(Forward, LargeLayersAgreeWithTheReference) {
  for (const Shape& s : kShapes) {
    TestLayer layer(options_of(s), 3);
    const auto input = random_values(static_cast<size_t>(s.batch * s.in_channels * s.length), 4);
    ThreadPool pool(1);
    const auto got = layer.run(input, s.batch, pool);

    const Params& params = layer.params();
    const auto expected = layer.expect(input);
    const double products = static_cast<double>(params.kernel_size) * params.group_in();
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_LE(std::abs(static_cast<double>(got[i]) - expected.values[i]),
                (products + 2) * 0x1p-24 * expected.bound[i])
          << s.what << " at " << i;
    }
  }
}

// Shifting a signal by one sample shifts its output: the same sums, wherever in a tile or block they are computed.
TEST(Forward, SameBitsAtEveryTilePosition) {
  for (const double out_channels : {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 11.0, 43.0}) {
    for (const double in_channels : {3.0, 40.0}) {
      TestLayer layer(layer_options(in_channels, out_channels, 5), 5);
      const auto channels = static_cast<size_t>(in_channels);
      const size_t length = 131;
      const size_t shifts = 50;
      const auto signal = random_values(channels * (length + shifts), 6);
      ThreadPool pool(1);
      const auto window = [&](size_t shift) {
        std::vector<float> part;
        for (size_t c = 0; c < channels; ++c) {
          const auto row = signal.begin() + static_cast<ptrdiff_t>(c * (length + shifts) + shift);
          part.insert(part.end(), row, row + static_cast<ptrdiff_t>(length));
        }
        return layer.run(part, 1, pool);
      };
      const size_t outputs = length - 4;
      const auto first = window(0);
      for (size_t shift = 1; shift < shifts; ++shift) {
        const auto moved = window(shift);
        for (size_t o = 0; o < static_cast<size_t>(out_channels); ++o) {
          EXPECT_EQ(0, std::memcmp(&first[o * outputs + shift], &moved[o * outputs], (outputs - shift) * sizeof(float)))
              << out_channels << " channels, shift " << shift;
        }
      }
    }
  }
}

// However many output channels share a tile, a channel's sums are the same.
TEST(Forward, SameBitsInEveryTileRow) {
  TestLayer wide(layer_options(7, 23, 3), 7);
  const auto input = random_values(size_t{7} * 57, 8);
  ThreadPool pool(1);
  const auto all = wide.run(input, 1, pool);
  TestLayer narrow(layer_options(7, 1, 3), 0);
  for (size_t o = 0; o < 23; ++o) {
    std::memcpy(narrow.layer().weight(), static_cast<float*>(wide.layer().weight()) + o * 21, 21 * sizeof(float));
    std::memcpy(narrow.layer().bias(), static_cast<float*>(wide.layer().bias()) + o, sizeof(float));
    narrow.layer().changed();
    const auto row = narrow.run(input, 1, pool);
    EXPECT_EQ(0, std::memcmp(row.data(), &all[o * row.size()], row.size() * sizeof(float))) << o;
  }
}

// A row cut into pieces of any length is the same row: short pieces go to other kernels.
TEST(Forward, SameBitsForEveryRowLength) {
  TestLayer layer(layer_options(5, 43, 3), 12);
  const auto signal = random_values(size_t{5} * 40, 13);
  ThreadPool pool(1);
  const auto all = layer.run(signal, 1, pool);
  const size_t outputs = 38;
  for (size_t count = 1; count < outputs; ++count) {
    std::vector<float> part;
    for (size_t c = 0; c < 5; ++c) {
      const auto row = signal.begin() + static_cast<ptrdiff_t>(c * 40 + 1);
      part.insert(part.end(), row, row + static_cast<ptrdiff_t>(count + 2));
    }
    const auto got = layer.run(part, 1, pool);
    for (size_t o = 0; o < 43; ++o) {
      EXPECT_EQ(0, std::memcmp(&got[o * count], &all[o * outputs + 1], count * sizeof(float))) << count << " outputs";
    }
  }
}

TEST(Forward, AFailedPrepareLeavesWhatWasPrepared) {
  TestLayer layer(layer_options(3, 4, 5), 9);
  const auto input = random_values(size_t{3} * 40, 10);
  ThreadPool pool(1);
  const auto before = layer.run(input, 1, pool);
  ASSERT_TRUE(layer.forward().prepare(1, 2, 1));
  std::vector<float> after(before.size());
  layer.forward().run(input.data(), after.data(), pool);
  EXPECT_EQ(before, after);
}

TEST(Forward, AnEmptyBatchRunsAndWritesNothing) {
  ThreadPool pool(2);
  for (const char* algorithm : kAlgorithms) {
    Options o = layer_options(3, 4, 5);
    o.algorithm = algorithm;
    TestLayer layer(o, 11);
    ASSERT_FALSE(layer.forward().prepare(0, 9, 2));
    EXPECT_EQ(layer.forward().geometry().out_length, 5);
    EXPECT_EQ(layer.forward().pieces(), 0) << algorithm;
    layer.forward().run(nullptr, nullptr, pool);
  }
}

TEST(Forward, AnInputOfPaddingAloneNeedsNoAddress) {
  ThreadPool pool(1);
  for (const char* algorithm : kAlgorithms) {
    Options o = layer_options(2, 3, 5);
    o.stride = 2;
    o.pad_left = 6;
    o.pad_right = 6;
    o.algorithm = algorithm;
    TestLayer layer(o, 3);
    ASSERT_FALSE(layer.forward().prepare(1, 0, 1));
    const auto out_length = static_cast<size_t>(layer.forward().out_length());
    std::vector<float> output(3 * out_length);
    layer.forward().run(nullptr, output.data(), pool);
    const auto* bias = static_cast<const float*>(layer.layer().bias());
    for (size_t i = 0; i < output.size(); ++i) EXPECT_EQ(output[i], bias[i / out_length]) << algorithm;
  }
}

TEST(Forward, NewWeightsAndShapesCount) {
  ThreadPool pool(1);
  for (const char* algorithm : kAlgorithms) {
    Options o = layer_options(3, 5, 7);
    o.algorithm = algorithm;
    TestLayer layer(o, 1);
    for (const int32_t length : {100, 5000, 7, 5000}) {
      const auto input = random_values(size_t{3} * length, 3);
      for (const float change : {0.0F, 1.0F}) {
        static_cast<float*>(layer.layer().weight())[7] += change;
        static_cast<float*>(layer.layer().bias())[1] += change;
        layer.layer().changed();
        const auto output = layer.run(input, 1, pool);
        const auto expected = layer.expect(input);
        const double largest = *std::ranges::max_element(expected.bound);
        for (size_t i = 0; i < output.size(); ++i) {
          ASSERT_NEAR(output[i], expected.values[i], 0x1p-18 * largest) << algorithm << ", length " << length;
        }
      }
    }
  }
}

}  // namespace
}  // namespace conv1d
