// Samples that stand out reach the outputs that see them, and no others, whatever computes a layer.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "operator/padding.h"
#include "passes/stream.h"
#include "test_layer.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A signal of several rows without and with what stands out, and where that is.
struct Disturbed {
  std::vector<float> plain;
  std::vector<float> values;
  std::vector<double> there;  // 1 where the two differ
  bool runs = false;          // whether some stand side by side, and may fill a block
};

std::vector<float> plain_signal(Random& random, int32_t rows, int32_t length) {
  std::vector<float> x = random_values(static_cast<size_t>(rows) * length, random());
  const int32_t kind = draw(random, 0, 5);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto t = static_cast<int32_t>(i % static_cast<size_t>(length));
    if (kind == 1) x[i] = 1;
    if (kind == 2) x[i] = std::max(x[i], 0.0F);
    if (kind == 3 && t / 40 % 2 == 0) x[i] = 0;  // silent now and then, in all rows at once
    if (kind == 4 && t > length / 2) x[i] = 0;
    if (kind == 5) x[i] *= static_cast<float>(1 + std::sin(t * 0.01));
  }
  return x;
}

float outlier(Random& random) {
  const float values[] = {kNan, kInfinity, -kInfinity, 1e20F, -9.97e33F, 1e7F, 8192, -65536};
  return values[draw(random, 0, 7)];
}

Disturbed disturb(Random& random, const std::vector<float>& plain, int32_t length) {
  Disturbed signal{plain, plain, std::vector<double>(plain.size())};
  const auto replace = [&](size_t i, float value) {
    signal.values[i] = value;
    signal.there[i] = 1;
  };
  const auto rows = static_cast<int32_t>(plain.size()) / length;
  for (int32_t n = draw(random, 1, 3); n > 0; --n) {
    const int32_t row = draw(random, 0, rows - 1);
    const int32_t begin = draw(random, 0, length - 1);
    const int32_t kind = draw(random, 0, 4);
    const int32_t count = kind < 3 ? 1 : std::min(length - begin, draw(random, 1, length));
    const float value = outlier(random);
    signal.runs = signal.runs || count > 1;
    for (int32_t t = begin; t < begin + count; ++t) {
      for (int32_t r = 0; r < rows; ++r) {
        if (r == row || kind == 2 || kind == 4) replace(static_cast<size_t>(r) * length + t, value);
      }
    }
  }
  return signal;
}

std::string text(const Options& o, int32_t length) {
  const auto n = [](double value) { return std::to_string(static_cast<int>(value)) + " "; };
  return o.algorithm + " " + n(o.in_channels) + n(o.out_channels) + "k " + n(o.kernel_size) + "s " + n(o.stride) +
         "d " + n(o.dilation) + "g " + n(o.groups) + "pads " + n(o.pad_left) + n(o.pad_right) + o.padding_mode + " L " +
         n(length);
}

// Of each output channel and image: what a transform of the signal may err by.
double transform_bound(TestLayer& layer, const Geometry& g, const std::vector<float>& x, int32_t image, int32_t oc) {
  const Params& p = layer.params();
  const auto* w = static_cast<const float*>(layer.layer().weight());
  double sum = p.bias ? std::abs(static_cast<const float*>(layer.layer().bias())[oc]) : 0;
  const double copies = 1 + static_cast<double>(g.pad_left + g.pad_right) / g.length;  // of samples, by the padding
  for (int32_t c = 0; c < p.group_in(); ++c) {
    double weights = 0;
    double samples = 0;
    for (int32_t k = 0; k < p.kernel_size; ++k) {
      weights += std::pow(w[(static_cast<int64_t>(oc) * p.group_in() + c) * p.kernel_size + k], 2);
    }
    const float* row =
        x.data() +
        (static_cast<int64_t>(image) * p.in_channels + int64_t{oc} / p.group_out() * p.group_in() + c) * g.length;
    for (int32_t t = 0; t < g.length; ++t) samples += std::pow(row[t], 2);
    sum += std::sqrt(weights * samples * (p.padding_mode == PaddingMode::kZeros ? 1 : copies));
  }
  const double size = 2.0 * (g.length + p.kernel_size) + 32;
  return (0x1p-21 * std::log2(size) + 0x1p-24 * p.group_in()) * sum;
}

double largest_weight(TestLayer& layer, int32_t oc) {
  const Params& p = layer.params();
  const auto* w = static_cast<const float*>(layer.layer().weight());
  const auto count = static_cast<int64_t>(p.group_in()) * p.kernel_size;
  double most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, std::abs(static_cast<double>(w[oc * count + i])));
  return most;
}

double largest_seen(TestLayer& layer, const Geometry& g, const std::vector<float>& x, int32_t oc, int32_t t) {
  const Params& p = layer.params();
  double most = 0;
  for (int32_t c = 0; c < p.group_in(); ++c) {
    for (int32_t k = 0; k < p.kernel_size; ++k) {
      const int64_t position = int64_t{t} * p.stride + int64_t{k} * p.dilation - g.pad_left;
      const int64_t at = source_index(p.padding_mode, position, g.length);
      const int64_t row = int64_t{oc} / p.group_out() * p.group_in() + c;
      if (at >= 0) most = std::max(most, std::abs(static_cast<double>(x[row * g.length + at])));
    }
  }
  return most;
}

struct Counts {
  int64_t seen = 0;
  int64_t unseen = 0;
  int64_t silent = 0;
};

// Holds the output of a layer for a disturbed signal to what the definition gives, `rounding` times as exact as a
// transform of the plain signal must be.
void check(TestLayer& layer, const Geometry& g, const Disturbed& signal, const std::vector<float>& output,
           double rounding, const std::string& what, Counts* counts) {
  const Params& p = layer.params();
  const auto expected = layer.expect(signal.values);
  const std::vector<double> ones(static_cast<size_t>(p.weight_size()), 1);
  std::vector<double> sees(output.size());
  reference_conv1d(p, g, signal.there.data(), ones.data(), nullptr, sees.data(), nullptr);
  const std::vector<double> x(signal.values.begin(), signal.values.end());
  std::vector<double> sums(output.size());
  std::vector<double> magnitudes(output.size());
  reference_conv1d(p, g, x.data(), ones.data(), nullptr, sums.data(), magnitudes.data());
  for (int32_t oc = 0; oc < p.out_channels; ++oc) {
    const double transformed = rounding * transform_bound(layer, g, signal.plain, 0, oc);
    for (int32_t t = 0; t < g.out_length; ++t) {
      const size_t i = static_cast<size_t>(oc) * g.out_length + t;
      const std::string where =
          what + " at " + std::to_string(oc) + " " + std::to_string(t) + (sees[i] > 0 ? " sees" : "");
      if (magnitudes[i] == 0) {
        ++counts->silent;
        const float bias = p.bias ? static_cast<const float*>(layer.layer().bias())[oc] : 0;
        ASSERT_EQ(output[i], bias) << where;
      }
      ++(sees[i] > 0 ? counts->seen : counts->unseen);
      if (std::isnan(expected.values[i])) {
        ASSERT_TRUE(std::isnan(output[i])) << where;
      } else if (std::isinf(expected.values[i])) {
        ASSERT_EQ(output[i], expected.values[i]) << where;
      } else {
        const double products = p.group_in() * p.kernel_size;
        double bound = transformed + (products + 2) * 0x1p-24 * expected.bound[i];
        // Runs may fill a block, and are then nothing that stands out there.
        if (signal.runs && sees[i] > 0) {
          bound += rounding * 0x1p-14 * largest_weight(layer, oc) * largest_seen(layer, g, signal.values, oc, t);
        }
        ASSERT_LE(std::abs(output[i] - expected.values[i]), bound)
            << where << " got " << output[i] << " for " << expected.values[i];
      }
    }
  }
}

void set_some_weight_to_zero(Random& random, TestLayer& layer) {
  auto* weights = static_cast<float*>(layer.layer().weight());
  if (draw(random, 0, 4) == 0) {
    weights[draw(random, 0, static_cast<int32_t>(layer.params().weight_size()) - 1)] = 0;
  }
  layer.layer().changed();
}

constexpr const char* kModes[] = {"zeros", "reflect", "replicate", "circular"};

struct Draw {
  Options options;
  int32_t length;
};

Draw any_layer(Random& random) {
  Options o;
  const bool heavy = draw(random, 0, 9) == 0;
  o.groups = draw(random, 0, 3) == 0 ? draw(random, 1, 3) : 1;
  o.in_channels = o.groups * draw(random, 1, heavy ? 40 : 4);
  o.out_channels = o.groups * draw(random, 1, heavy ? 16 : 5);
  o.kernel_size = draw(random, 1, draw(random, 0, 3) == 0 ? 120 : 8);
  o.stride = draw(random, 0, 2) == 0 ? draw(random, 1, 4) : 1;
  o.dilation = draw(random, 0, 2) == 0 ? draw(random, 1, 9) : 1;
  o.pad_left = draw(random, 0, 12);
  o.pad_right = draw(random, 0, 12);
  return {o, draw(random, 13, draw(random, 0, 3) == 0 ? 2000 : 300)};
}

// Strides and dilations that share factors or not, and rows of a few outputs, which leave windows half empty.
Draw tiny_layer(Random& random) {
  Options o;
  o.in_channels = draw(random, 1, 2);
  o.out_channels = draw(random, 1, 3);
  o.kernel_size = draw(random, 2, 7);
  o.stride = draw(random, 1, 6);
  o.dilation = draw(random, 1, 6);
  o.pad_left = draw(random, 0, 6);
  o.pad_right = draw(random, 0, 6);
  return {o, draw(random, 3, draw(random, 0, 1) == 0 ? 20 : 70)};
}

TEST(Outliers, ReachTheOutputsThatSeeThemAndNoOthers) {
  Random random(1);
  ThreadPool pool(1);
  const std::string algorithms[] = {"toom_cook", "fft", "auto", "direct"};
  int compared[4] = {};
  int strided_and_dilated = 0;
  Counts counts;
  for (int32_t trial = 0; trial < 7000; ++trial) {
    auto [o, length] = trial % 7 == 0 ? any_layer(random) : tiny_layer(random);
    o.bias = draw(random, 0, 2) > 0;
    o.padding_mode = kModes[draw(random, 0, 3)];
    const int32_t which = draw(random, 0, 3);
    o.algorithm = algorithms[which];
    Params params{};
    Geometry g{};
    if (validate(o, &params) || resolve(params, 1, length, &g)) continue;
    ++compared[which];
    if (o.stride > 1 && o.dilation > 1) ++strided_and_dilated;
    TestLayer layer(o, static_cast<uint32_t>(trial));
    set_some_weight_to_zero(random, layer);
    const Disturbed signal = disturb(random, plain_signal(random, params.in_channels, length), length);
    const auto output = layer.run(signal.values, 1, pool);
    check(layer, g, signal, output, 1, text(o, length) + ", trial " + std::to_string(trial), &counts);
    if (HasFatalFailure()) return;
  }
  for (const int count : compared) EXPECT_GT(count, 500);
  EXPECT_GT(strided_and_dilated, 1500);
  EXPECT_GT(counts.seen, 20000);
  EXPECT_GT(counts.unseen, 20000);
  EXPECT_GT(counts.silent, 2000);
}

TEST(Outliers, OfStreamsReachTheOutputsThatSeeThemAndNoOthers) {
  Random random(2);
  const std::string modes[] = {"zeros", "reflect", "replicate"};
  int compared = 0;
  Counts counts;
  for (int32_t trial = 0; trial < 200; ++trial) {
    Options o;
    o.groups = draw(random, 0, 3) == 0 ? 2 : 1;
    o.in_channels = o.groups * draw(random, 1, 3);
    o.out_channels = o.groups * draw(random, 1, 3);
    o.kernel_size = draw(random, 17, 400);
    o.stride = draw(random, 0, 3) == 0 ? draw(random, 1, 3) : 1;
    o.dilation = draw(random, 0, 3) == 0 ? draw(random, 1, 3) : 1;
    o.bias = draw(random, 0, 2) > 0;
    o.padding_mode = modes[draw(random, 0, 2)];
    o.pad_left = draw(random, 0, draw(random, 0, 1) == 0 ? 12 : 400);
    o.pad_right = draw(random, 0, 12);
    o.algorithm = "fft";
    const int32_t length = draw(random, 420, 3000);
    const int32_t longest = draw(random, 1, 200);
    Params params{};
    Geometry g{};
    if (validate(o, &params) || resolve(params, 1, length, &g)) continue;
    ++compared;
    TestLayer layer(o, static_cast<uint32_t>(trial));
    ASSERT_FALSE(layer.forward().prepare(1, length, 1));  // for expect()
    set_some_weight_to_zero(random, layer);
    const Disturbed signal = disturb(random, plain_signal(random, params.in_channels, length), length);
    const std::string what = text(o, length) + ", trial " + std::to_string(trial);
    std::vector<float> first;
    for (int round = 0; round < 2; ++round) {
      std::unique_ptr<Stream> stream;
      ASSERT_FALSE(Stream::create(graph_of(layer.share()), 1, longest, true, &stream));
      std::vector<float> output(static_cast<size_t>(params.out_channels) * g.out_length);
      int32_t done = 0;
      const auto put = [&](const std::vector<float>& rows, int32_t count) {
        for (int32_t oc = 0; oc < params.out_channels; ++oc) {
          std::copy_n(rows.begin() + static_cast<ptrdiff_t>(oc) * count, count,
                      output.begin() + static_cast<ptrdiff_t>(oc) * g.out_length + done);
        }
        done += count;
      };
      for (int32_t t = 0; t < length;) {
        const int32_t samples = std::min(length - t, draw(random, 1, longest));
        std::vector<float> chunk;
        for (int32_t c = 0; c < params.in_channels; ++c) {
          const auto from = signal.values.begin() + static_cast<ptrdiff_t>(c) * length + t;
          chunk.insert(chunk.end(), from, from + samples);
        }
        const int32_t count = stream->output_count(samples);
        std::vector<float> rows(static_cast<size_t>(params.out_channels) * static_cast<size_t>(count));
        stream->push(chunk.data(), samples, rows.data());
        put(rows, count);
        t += samples;
      }
      int64_t count = 0;
      ASSERT_FALSE(stream->end_count(&count));
      std::vector<float> rows(static_cast<size_t>(params.out_channels) * static_cast<size_t>(count));
      stream->end(rows.data());
      put(rows, static_cast<int32_t>(count));
      ASSERT_EQ(done, g.out_length);
      if (round == 0) {
        // Sums of so many equal products as some plain signals have may lose more than those of a block.
        check(layer, g, signal, output, 4, what, &counts);
        if (HasFatalFailure()) return;
        first = output;
      } else {
        for (size_t i = 0; i < first.size(); ++i) {
          ASSERT_TRUE(first[i] == output[i] || (std::isnan(first[i]) && std::isnan(output[i]))) << what << " at " << i;
        }
      }
    }
  }
  EXPECT_GT(compared, 150);
  EXPECT_GT(counts.seen, 20000);
  EXPECT_GT(counts.unseen, 20000);
  EXPECT_GT(counts.silent, 2000);
}

}  // namespace
}  // namespace conv1d
