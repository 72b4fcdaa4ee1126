#include "passes/stream.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "choose/partition.h"
#include "half.h"
#include "operator/pack.h"
#include "passes/partitioned.h"
#include "test_graph.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

std::unique_ptr<Stream> make_stream(std::vector<Step> steps, DType dtype, const Signal& in, int32_t max_chunk) {
  std::unique_ptr<Stream> stream;
  const auto error = Stream::create({std::move(steps), dtype, in.channels}, in.batch, max_chunk, true, &stream);
  EXPECT_FALSE(error) << error->message;
  return stream;
}

void expect_same(const Signal& expected, const Signal& got, const std::string& what) {
  EXPECT_TRUE(are_same(expected, got)) << what << ", " << expected.length << " and " << got.length << " samples";
}

Options random_options(Random& random, const char* dtype) {
  const bool depthwise = draw(random, 0, 7) == 0;
  const int32_t groups = depthwise ? draw(random, 4, 13) : draw(random, 0, 2) == 0 ? draw(random, 1, 4) : 1;
  const int32_t most = depthwise ? 1 : 9;
  Options o =
      layer_options(groups * draw(random, 1, std::min(most, 5)), groups * draw(random, 1, most), draw(random, 1, 7));
  o.groups = groups;
  o.stride = draw(random, 0, 1) == 0 ? 1 : draw(random, 1, 5);
  o.dilation = draw(random, 0, 1) == 0 ? 1 : draw(random, 1, 9);
  o.dtype = dtype;
  o.bias = draw(random, 0, 3) > 0;
  o.activation = kActivations[draw(random, 0, static_cast<int32_t>(std::size(kActivations)) - 1)].name;
  const char* modes[] = {"zeros", "reflect", "replicate"};
  o.padding_mode = modes[draw(random, 0, 2)];
  const char* rules[] = {"explicit", "explicit", "valid", "causal", "same"};
  o.padding_rule = rules[draw(random, 0, o.stride == 1 ? 4 : 3)];
  if (o.padding_rule == "explicit") {
    o.pad_left = draw(random, 0, 20);
    o.pad_right = draw(random, 0, 20);
  }
  return o;
}

std::string text(const Options& o, int32_t length, int32_t max_chunk) {
  const auto n = [](double value) { return std::to_string(static_cast<int>(value)) + " "; };
  return n(o.in_channels) + n(o.out_channels) + "k " + n(o.kernel_size) + "s " + n(o.stride) + "d " + n(o.dilation) +
         "g " + n(o.groups) + o.padding_rule + " " + n(o.pad_left) + n(o.pad_right) + o.padding_mode + " " + o.dtype +
         " L " + n(length) + "chunk " + n(max_chunk);
}

TEST(Stream, OneLayerEqualsTheWholeHoweverItIsCut) {
  Random random(1);
  int compared = 0;
  for (uint32_t trial = 0; trial < 3000; ++trial) {
    const Options options = random_options(random, trial % 4 == 3 ? "float16" : "float32");
    TestLayer layer(options, trial);
    const DType dtype = layer.params().dtype;
    const Signal in = random_signal(draw(random, 1, 2), layer.params().in_channels, draw(random, 1, 150), trial + 1);
    const auto expected = run_whole(layer.forward(), in);
    if (!expected) continue;
    ++compared;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 64));
    const auto stream = make_stream({conv_step(0, layer)}, dtype, in, max_chunk);
    for (int round = 0; round < 2; ++round) {
      const Signal got = run_stream(stream, dtype, in, [&] { return draw(random, 0, max_chunk); });
      expect_same(*expected, got, text(options, in.length, max_chunk));
      stream->reset();
    }
  }
  EXPECT_GT(compared, 2000);
}

// Layers of one chain, with sums, products, gates and activations between them wherever lengths allow.
struct RandomNetwork {
  DType dtype;
  int32_t pairs = 0;
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  Signal in;
};

// Taps are many enough for the FFT where it is to be used.
RandomNetwork random_network(Random& random, uint32_t seed, bool use_fft = false) {
  RandomNetwork made{seed % 4 == 3 ? DType::kFloat16 : DType::kFloat32, 0, {}, {}, {}};
  struct Shape {
    int32_t channels;
    double stretch;  // of lengths: equal ones are of equal length
  };
  std::vector<Shape> shapes{{2 * draw(random, 1, 3), 0}};
  const int32_t count = draw(random, 2, 9);
  for (int32_t i = 0; i < count; ++i) {
    const int32_t input = draw(random, std::max(0, i - 3), i);
    const Shape in = shapes[static_cast<size_t>(input)];
    const int32_t kind = draw(random, 0, 5);
    Step step = activation_step(input, Activation::kTanh, in.channels);
    Shape out = in;
    bool conv = kind > 2;
    if (kind == 1) {
      conv = in.channels % 2 != 0;
      out.channels /= 2;
      if (!conv) step = operation_step({input}, "gate", {in.channels});
    } else if (kind == 2) {
      conv = true;
      for (int32_t other = 0; other <= i; ++other) {
        const Shape& shape = shapes[static_cast<size_t>(other)];
        if (other == input || shape.channels != in.channels || shape.stretch != in.stretch) continue;
        step = pair_step(input, other, draw(random, 0, 1) == 0 ? "add" : "multiply", in.channels);
        conv = false;
        ++made.pairs;
      }
    }
    if (conv) {
      const int32_t taps = use_fft ? draw(random, 9, 40) : 3;
      Options o = layer_options(in.channels, draw(random, 0, 1) == 0 ? in.channels : 2 * draw(random, 1, 3), taps);
      if (use_fft) o.algorithm = "fft";
      o.dilation = draw(random, 1, 4);
      o.dtype = made.dtype == DType::kFloat16 ? "float16" : "float32";
      const char* modes[] = {"zeros", "zeros", "reflect", "replicate"};
      o.padding_mode = modes[draw(random, 0, 3)];
      const double reach = o.dilation * (taps - 1);
      o.pad_left = draw(random, 0, static_cast<int32_t>(reach) + 3);
      o.pad_right = std::max(0.0, reach - o.pad_left);
      if (draw(random, 0, 2) == 0) o.padding_rule = "causal";
      if (draw(random, 0, 9) == 0) o.stride = 2;
      const double longer = o.padding_rule == "causal" ? 0 : o.pad_left + o.pad_right - reach;
      out = {static_cast<int32_t>(o.out_channels), o.stride == 1 ? in.stretch + longer : 1000.0 + i};
      made.layers.emplace_back(o, seed * 100 + i);
      step = conv_step(input, made.layers.back());
    }
    made.steps.push_back(step);
    shapes.push_back(out);
  }
  made.in = random_signal(draw(random, 1, 2), shapes[0].channels, draw(random, 1, use_fft ? 1200 : 120), seed);
  if (made.dtype == DType::kFloat16) round_to_halves(made.in.values.data(), made.in.values.size());
  return made;
}

TEST(Stream, NetworksEqualTheWholeHoweverTheyAreCut) {
  Random random(2);
  int compared = 0;
  int pairs = 0;
  for (uint32_t trial = 0; trial < 1500; ++trial) {
    const RandomNetwork network = random_network(random, trial);
    const auto& [dtype, own_pairs, layers, steps, in] = network;
    pairs += own_pairs;
    const auto expected = run_whole(steps, dtype, in);
    Forward forward({steps, dtype, in.channels});
    const auto at_once = run_whole(forward, in, draw(random, 1, 3), draw(random, 1, 9));
    ASSERT_EQ(at_once.has_value(), expected.has_value()) << "network " << trial;
    if (!expected) continue;
    ++compared;
    expect_same(*expected, *at_once, "network at once " + std::to_string(trial));
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 40));
    const auto stream = make_stream(steps, dtype, in, max_chunk);
    for (int round = 0; round < 2; ++round) {
      const Signal got = run_stream(stream, dtype, in, [&] { return draw(random, 0, max_chunk); });
      expect_same(*expected, got, "network " + std::to_string(trial));
      stream->reset();
    }
  }
  EXPECT_GT(compared, 1000);
  EXPECT_GT(pairs, 300);
}

Options random_long_options(Random& random, const char* dtype) {
  Options o = random_options(random, dtype);
  o.kernel_size = draw(random, 17, draw(random, 17, 400));
  if (o.dilation > 1) o.dilation = draw(random, 2, 4);
  o.algorithm = "fft";
  o.activation = draw(random, 0, 1) == 0 ? "none" : "tanh";
  return o;
}

// `got` is what the direct kernels make of it, but for the error that the FFT may have.
void expect_close(const Signal& expected, const Signal& got, double limit, const std::string& what) {
  ASSERT_EQ(expected.length, got.length) << what;
  for (size_t i = 0; i < got.values.size(); ++i) {
    ASSERT_NEAR(expected.values[i], got.values[i], limit) << what << " at " << i;
  }
}

// A bound for all outputs of a layer: its largest row of weights times the largest samples that it can meet.
double largest_sum(TestLayer& layer, const Signal& in) {
  const Params& p = layer.params();
  const auto size = static_cast<size_t>(p.weight_size());
  std::vector<float> weights(size);
  widen(p.dtype, layer.layer().weight(), weights.data(), size);
  const size_t depth = size / static_cast<size_t>(p.out_channels);
  double largest = 0;
  for (size_t o = 0; o < size; o += depth) {
    double sum = 1;
    for (size_t i = 0; i < depth; ++i) sum += std::abs(weights[o + i]);
    largest = std::max(largest, sum);
  }
  double loudest = 0;
  for (const float x : in.values) loudest = std::max<double>(loudest, std::abs(x));
  return largest * loudest;
}

TEST(Stream, LongKernelsGiveTheSameBitsHoweverTheyAreCut) {
  Random random(3);
  int compared = 0;
  for (uint32_t trial = 0; trial < 800; ++trial) {
    const Options options = random_long_options(random, trial % 4 == 3 ? "float16" : "float32");
    TestLayer layer(options, trial);
    Options plain = options;
    plain.algorithm = "direct";
    TestLayer direct(plain, trial);
    const DType dtype = layer.params().dtype;
    const Signal in = random_signal(draw(random, 1, 2), layer.params().in_channels, draw(random, 1, 2000), trial + 1);
    const auto expected = run_whole(direct.forward(), in);
    if (!expected) continue;
    ++compared;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 300));
    const auto stream = make_stream({conv_step(0, layer)}, dtype, in, max_chunk);
    std::optional<Signal> first;
    for (int round = 0; round < 3; ++round) {
      const Signal got = run_stream(stream, dtype, in, [&] { return round == 0 ? 1 : draw(random, 0, max_chunk); });
      if (first) expect_same(*first, got, text(options, in.length, max_chunk));
      first = got;
      stream->reset();
    }
    const double bound = largest_sum(direct, in);
    // Halves are rounded to 11 bits, of outputs no larger than the bound.
    const double limit = dtype == DType::kFloat16 ? 0x1p-11 * bound : 0x1p-21 * bound;
    expect_close(*expected, *first, limit, text(options, in.length, max_chunk));
  }
  EXPECT_GT(compared, 500);
}

TEST(Stream, PushesOfOneSampleThroughAWideDilatedStack) {
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  for (int32_t i = 0; i < 8; ++i) {
    Options o = layer_options(16, 16, 3);
    o.dilation = 1 << i;
    o.padding_rule = "causal";
    o.activation = "tanh";
    layers.emplace_back(o, i);
    steps.push_back(conv_step(2 * i, layers.back()));
    steps.push_back(pair_step(2 * i, 2 * i + 1, "add", 16));
  }
  const Signal in = random_signal(1, 16, 1200, 3);
  const auto expected = run_whole(steps, DType::kFloat32, in);
  const auto stream = make_stream(steps, DType::kFloat32, in, 128);
  EXPECT_EQ(stream->latency(), 0);
  EXPECT_EQ(stream->receptive_field(), 1 + 2 * 255);
  expect_same(*expected, run_stream(stream, DType::kFloat32, in, [] { return 1; }), "one by one");
  stream->reset();
  expect_same(*expected, run_stream(stream, DType::kFloat32, in, [] { return 128; }), "128 at a time");
}

TEST(Stream, NewWeightsCountFromTheNextPush) {
  TestLayer layer(layer_options(2, 3, 1), 1);
  const Signal in = random_signal(1, 2, 8, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 8);
  std::vector<float> before(24);
  std::vector<float> after(24);
  stream->push(in.values.data(), 8, before.data());
  static_cast<float*>(layer.layer().weight())[0] += 1;
  layer.layer().changed();
  stream->push(in.values.data(), 8, after.data());
  EXPECT_EQ(run_whole(layer.forward(), in)->values, after);
  EXPECT_NE(before, after);
}

// Partitions long enough for their work to be spread over several pushes.
TEST(Stream, AReverbGivesTheSameBitsHoweverItIsCut) {
  Options options = layer_options(2, 2, 6000);
  options.groups = 2;
  options.padding_rule = "causal";
  options.algorithm = "auto";
  TestLayer layer(options, 1);
  ASSERT_GE(choose_partition(layer.params(), 128), 256);
  options.algorithm = "direct";
  TestLayer direct(options, 1);
  const Signal in = random_signal(1, 2, 9000, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
  EXPECT_EQ(stream->latency(), 0);
  const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 128; });
  expect_close(*run_whole(direct.forward(), in), got, 0x1p-21 * largest_sum(direct, in), "reverb");
  Random random(4);
  for (const int32_t most : {1, 100, 128}) {
    stream->reset();
    expect_same(got, run_stream(stream, DType::kFloat32, in, [&] { return draw(random, most == 1 ? 1 : 0, most); }),
                "cut");
  }
}

// Long kernels one after the other, one that looks ahead among them, with residuals across.
TEST(Stream, NetworksOfLongKernelsGiveTheSameBitsHoweverTheyAreCut) {
  Random random(5);
  for (uint32_t trial = 0; trial < 60; ++trial) {
    std::vector<TestLayer> layers;
    std::vector<TestLayer> plain;
    std::vector<Step> steps;
    std::vector<Step> plain_steps;
    for (int32_t i = 0; i < 3; ++i) {
      Options o = layer_options(2, 2, 2 * draw(random, 10, 300) + 1);
      o.padding_rule = draw(random, 0, 2) == 0 ? "same" : "causal";
      const char* modes[] = {"zeros", "reflect", "replicate"};
      o.padding_mode = modes[draw(random, 0, 2)];
      o.groups = draw(random, 1, 2);
      o.algorithm = "fft";
      layers.emplace_back(o, trial * 10 + i);
      o.algorithm = "direct";
      plain.emplace_back(o, trial * 10 + i);
      steps.push_back(conv_step(2 * i, layers.back()));
      plain_steps.push_back(conv_step(2 * i, plain.back()));
      const Step sum = pair_step(2 * i, 2 * i + 1, "add", 2);
      steps.push_back(sum);
      plain_steps.push_back(sum);
    }
    const Signal in = random_signal(draw(random, 1, 2), 2, draw(random, 700, 1500), trial);
    const int32_t max_chunk = draw(random, 1, 200);
    const auto stream = make_stream(steps, DType::kFloat32, in, max_chunk);
    const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 1; });
    stream->reset();
    const std::string what = "network " + std::to_string(trial);
    expect_same(got, run_stream(stream, DType::kFloat32, in, [&] { return draw(random, 0, max_chunk); }), what);
    const Signal expected = *run_whole(plain_steps, DType::kFloat32, in);
    double loudest = 0;
    for (const float x : expected.values) loudest = std::max<double>(loudest, std::abs(x));
    expect_close(expected, got, 0x1p-18 * loudest, what);
  }
}

// New weights in the middle of a block: all outputs from there on are what the layer gives with them.
TEST(Stream, NewWeightsOfALongKernelCountFromTheNextPush) {
  for (const int32_t before : {5, 64, 100, 777, 1000}) {
    Options options = layer_options(2, 2, 600);
    options.padding_rule = "causal";
    options.algorithm = "fft";
    TestLayer layer(options, 1);
    options.algorithm = "direct";
    TestLayer other(options, 9);
    const Signal in = random_signal(1, 2, 2000, 2);
    const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
    int32_t pushed = 0;
    const Signal got = run_stream(stream, DType::kFloat32, in, [&] {
      if (pushed == before) {
        std::memcpy(layer.layer().weight(), other.layer().weight(), size_t{2} * 2 * 600 * sizeof(float));
        std::memcpy(layer.layer().bias(), other.layer().bias(), 2 * sizeof(float));
        layer.layer().changed();
      }
      const int32_t next = std::min(100, pushed < before ? before - pushed : 100);
      pushed += next;
      return next;
    });
    const auto expected = run_whole(other.forward(), in);
    const double limit = 0x1p-21 * largest_sum(other, in);
    for (int32_t row = 0; row < 2; ++row) {
      for (int32_t t = before; t < 2000; ++t) {
        const size_t i = static_cast<size_t>(row) * 2000 + t;
        ASSERT_NEAR(expected->values[i], got.values[i], limit) << before << " at " << t;
      }
    }
  }
}

TEST(Stream, LongKernelsAreLeftToTheFftWhereThatIsFaster) {
  const auto partition = [](const char* algorithm, double taps) {
    Options options = layer_options(1, 1, taps);
    options.algorithm = algorithm;
    Params params{};
    EXPECT_FALSE(validate(options, &params));
    return choose_partition(params, 128);
  };
  EXPECT_EQ(partition("direct", 100000), 0);
  EXPECT_EQ(partition("auto", 16), 0);
  EXPECT_GT(partition("auto", 10000), 0);
  EXPECT_GT(partition("fft", 100), 0);
}

TEST(Stream, SpecialNumbersLeaveWithTheirWindow) {
  Options options = layer_options(1, 1, 4);
  options.padding_rule = "causal";
  TestLayer layer(options, 1);
  Signal in = random_signal(1, 1, 30, 2);
  in.values[10] = std::numeric_limits<float>::quiet_NaN();
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 7);
  const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 7; });
  for (size_t t = 0; t < 30; ++t) EXPECT_EQ(std::isnan(got.values[t]), t >= 10 && t < 14) << t;
}

// A long constant, as padding makes it, beside noise that is a thousand times larger is no reason to leave in what is
// larger still.
TEST(Stream, OneSampleStandsOutOfAWindowOfTwoLevels) {
  Options options = layer_options(1, 1, 30);
  options.dilation = 6;
  options.padding_rule = "same";
  options.padding_mode = "replicate";
  options.algorithm = "fft";
  TestLayer layer(options, 1);
  options.algorithm = "direct";
  TestLayer direct(options, 1);
  const Signal in{1, 1, 8, {0.007F, 0.9F, 1.2F, -2.7e13F, 0.08F, -0.1F, -0.3F, 2.4F}};
  const Signal expected = *run_whole(direct.forward(), in);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 8);
  const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 8; });
  for (size_t t = 0; t < got.values.size(); ++t) {
    const double limit = std::max(1e-4, 0x1p-18 * std::abs(expected.values[t]));  // few outputs see that sample
    EXPECT_NEAR(expected.values[t], got.values[t], limit) << t;
  }
}

TEST(Stream, SpecialNumbersLeaveALongKernelSoonAfterTheirWindow) {
  Options options = layer_options(1, 1, 700);
  options.padding_rule = "causal";
  options.algorithm = "fft";
  TestLayer layer(options, 1);
  const int32_t partition = choose_partition(layer.params(), 128);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Signal in = random_signal(1, 1, 3000, 2);
    in.values[1000] = bad;
    const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
    const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 128; });
    for (size_t t = 0; t < 1000; ++t) ASSERT_TRUE(std::isfinite(got.values[t])) << t;
    for (size_t t = 1000; t < 1700; ++t) ASSERT_FALSE(std::isfinite(got.values[t])) << t;
    for (size_t t = 1700 + static_cast<size_t>(2 * partition); t < 3000; ++t) {
      ASSERT_TRUE(std::isfinite(got.values[t])) << t;
    }
  }
}

TEST(Stream, ALongKernelIsSilentAfterASoundThatFades) {
  Options options = layer_options(1, 1, 700);
  options.padding_rule = "causal";
  options.bias = false;
  options.algorithm = "fft";
  TestLayer layer(options, 1);
  Signal in{1, 1, 8000, std::vector<float>(8000)};
  for (size_t t = 0; t < in.values.size(); ++t) in.values[t] = std::exp2(-static_cast<float>(t) / 40);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
  const Signal got = run_stream(stream, DType::kFloat32, in, [] { return 128; });
  const auto silent = [](float x) { return x == 0; };
  EXPECT_FALSE(std::any_of(got.values.begin(), got.values.begin() + 3000, silent));
  EXPECT_TRUE(std::all_of(got.values.begin() + 6000, got.values.end(), silent));
}

TEST(Stream, TinySamplesCountAsSilenceUnlessKept) {
  TestLayer layer(layer_options(1, 1, 1), 1);
  const float quiet[] = {1e-31F, -1e-38F, 1e-29F, 1e-40F, -1e-31F};
  for (const bool flush : {true, false}) {
    std::unique_ptr<Stream> stream;
    ASSERT_FALSE(Stream::create(graph_of(layer.share()), 1, 5, flush, &stream));
    std::vector<float> got(5);
    stream->push(quiet, 5, got.data());
    const Signal in{1, 1, 5, {0, 0, quiet[2], 0, 0}};
    const Signal kept{1, 1, 5, std::vector<float>(quiet, quiet + 5)};
    EXPECT_EQ(run_whole(layer.forward(), flush ? in : kept)->values, got);
  }
}

TEST(Stream, PaddingLongerThanAPartitionAndAPush) {
  Options options = layer_options(1, 1, 40);
  options.algorithm = "fft";
  options.pad_left = 3000;
  TestLayer layer(options, 1);
  options.algorithm = "direct";
  TestLayer direct(options, 1);
  const Signal in = random_signal(1, 1, 300, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 8);
  expect_close(*run_whole(direct.forward(), in), run_stream(stream, DType::kFloat32, in, [] { return 8; }),
               0x1p-21 * largest_sum(direct, in), "a long padding");
}

std::vector<int32_t> state_of(const Stream& stream) {
  std::vector<int32_t> state(static_cast<size_t>(stream.state_words()));
  stream.save(state.data());
  return state;
}

std::optional<Error> restore(Stream& stream, const std::vector<int32_t>& state) {
  return stream.restore(state.data(), static_cast<int64_t>(state.size() * sizeof(int32_t)));
}

// What comes when, at some point of a signal, another stream, of pieces of up to so many samples, goes on from the
// state of the first: until then what the first alone gives, and then what the other alone gives.
void expect_to_go_on(Random& random, const std::vector<Step>& steps, DType dtype, const Signal& in,
                     std::array<int32_t, 2> chunks, const std::string& what) {
  std::vector<Signal> alone;
  alone.reserve(chunks.size());
  for (const int32_t chunk : chunks) {
    alone.push_back(run_stream(make_stream(steps, dtype, in, chunk), dtype, in, [&] { return chunk; }));
  }
  for (const bool clone : {false, true}) {
    auto stream = make_stream(steps, dtype, in, chunks[0]);
    auto other = make_stream(steps, dtype, in, chunks[1]);
    run_stream(other, dtype, in, [&] { return chunks[1]; });  // it need not be fresh
    const int32_t moved_at = draw(random, 0, in.length);
    int32_t pushed = 0;
    int32_t before = 0;
    const Signal got = run_stream(stream, dtype, in, [&] {
      if (pushed >= moved_at && other) {
        const auto state = state_of(*stream);
        if (clone) {
          EXPECT_FALSE(stream->clone(&other));
          std::vector<float> rest(1 << 16);
          stream->push(in.values.data(), 1, rest.data());  // of no concern to the clone
        } else {
          const auto error = restore(*other, state);
          EXPECT_FALSE(error) << error->message;
        }
        EXPECT_EQ(state_of(*other), state) << what;
        std::swap(stream, other);
        other.reset();
      }
      const bool first = other != nullptr;
      const int32_t count = std::min(draw(random, 0, chunks[first || clone ? 0 : 1]), in.length - pushed);
      pushed += count;
      if (first) before += stream->output_count(count);
      return count;
    });
    Signal expected = alone[other || clone ? 0 : 1];
    for (int32_t row = 0; row < in.batch * stream->out_channels(); ++row) {
      for (int32_t t = 0; t < before; ++t) expected.at(row, t) = alone[0].at(row, t);
    }
    expect_same(expected, got, what + (clone ? " cloned at " : " moved at ") + std::to_string(moved_at));
  }
}

// With stretches that are silent, loud or quiet, and now and then a sample that stands out.
Signal with_events(Random& random, Signal in) {
  const float factors[] = {0, 0, 1e6F, 1e-6F};
  for (int32_t i = draw(random, 0, 5); i > 0; --i) {
    const int32_t row = draw(random, 0, in.batch * in.channels - 1);
    const int32_t begin = draw(random, 0, in.length - 1);
    const int32_t end = draw(random, begin, in.length);
    const float factor = factors[draw(random, 0, 3)];
    for (int32_t t = begin; t < end; ++t) in.at(row, t) *= factor;
    if (draw(random, 0, 3) == 0) in.at(row, begin) = draw(random, 0, 1) == 0 ? 1e20F : std::nanf("");
  }
  return in;
}

TEST(Stream, AnotherGoesOnFromAState) {
  Random random(6);
  int compared = 0;
  for (uint32_t trial = 0; trial < 400; ++trial) {
    const char* dtype_name = trial % 4 == 3 ? "float16" : "float32";
    const bool long_kernel = trial % 3 == 0;
    const Options options = long_kernel ? random_long_options(random, dtype_name) : random_options(random, dtype_name);
    TestLayer layer(options, trial);
    const DType dtype = layer.params().dtype;
    const Signal in = with_events(random, random_signal(draw(random, 1, 2), layer.params().in_channels,
                                                        draw(random, 1, long_kernel ? 2000 : 150), trial + 1));
    if (!run_whole(layer.forward(), in)) continue;
    ++compared;
    const std::array chunks{draw(random, 1, 40), draw(random, 1, draw(random, 1, 300))};
    expect_to_go_on(random, {conv_step(0, layer)}, dtype, in, chunks, text(options, in.length, 0));
  }
  EXPECT_GT(compared, 250);
}

TEST(Stream, AnotherGoesOnFromTheStateOfANetwork) {
  Random random(7);
  int compared = 0;
  int pairs = 0;
  for (uint32_t trial = 0; trial < 400; ++trial) {
    const bool long_kernels = trial % 2 == 0;
    const RandomNetwork network = random_network(random, trial, long_kernels);
    if (!run_whole(network.steps, network.dtype, network.in)) continue;
    ++compared;
    pairs += network.pairs;
    // With partitions of another length, what one layer made for the next would differ by rounding.
    const int32_t chunk = draw(random, 1, 40);
    const std::array chunks{chunk, long_kernels ? chunk : draw(random, 1, 300)};
    expect_to_go_on(random, network.steps, network.dtype, network.in, chunks, "network " + std::to_string(trial));
  }
  EXPECT_GT(compared, 250);
  EXPECT_GT(pairs, 60);
}

// The state keeps what the largest partition needs, which few samples a push may bring.
TEST(Stream, ShorterPiecesNeverStopBeingPartitioned) {
  Random random(8);
  int partitioned = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    Options options = layer_options(draw(random, 1, 8), draw(random, 1, 8), draw(random, 16, draw(random, 16, 9000)));
    options.algorithm = "auto";
    Params params{};
    ASSERT_FALSE(validate(options, &params));
    const int32_t partition = choose_partition(params, draw(random, 1, 3000));
    if (partition == 0) continue;
    ++partitioned;
    ASSERT_GT(choose_partition(params, 1), 0);
    ASSERT_GE(kept_samples(params), (params.reach() / partition + 2) * partition);
  }
  EXPECT_GT(partitioned, 1000);
}

TEST(Stream, OtherWeightsCountFromTheNextPushAfterAState) {
  Options options = layer_options(2, 2, 600);
  options.padding_rule = "causal";
  options.algorithm = "fft";
  TestLayer layer(options, 1);
  TestLayer other(options, 9);
  const Signal in = random_signal(1, 2, 2000, 2);
  auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 100);
  const auto next = make_stream({conv_step(0, other)}, DType::kFloat32, in, 100);
  const Signal expected = run_stream(next, DType::kFloat32, in, [] { return 100; });
  int32_t pushed = 0;
  auto spare = make_stream({conv_step(0, other)}, DType::kFloat32, in, 100);
  const Signal got = run_stream(stream, DType::kFloat32, in, [&] {
    if (pushed == 700) {
      EXPECT_FALSE(restore(*spare, state_of(*stream)));
      std::swap(stream, spare);
    }
    pushed += 100;
    return 100;
  });
  for (int32_t row = 0; row < 2; ++row) {
    const auto from = static_cast<size_t>(row) * 2000 + 700;
    for (size_t i = from; i < from + 1300; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(expected.values[i]), std::bit_cast<uint32_t>(got.values[i])) << i;
    }
  }
}

// `length` samples, in each row the same number all the time.
Signal constant_signal(int32_t batch, int32_t channels, int32_t length, uint32_t seed) {
  const Signal levels = random_signal(1, channels, 1, seed);
  Signal made{batch, channels, length, {}};
  for (size_t row = 0; row < static_cast<size_t>(batch) * channels; ++row) {
    made.values.insert(made.values.end(), static_cast<size_t>(length), levels.values[row % levels.values.size()]);
  }
  return made;
}

Signal joined(const Signal& first, const Signal& second) {
  Signal made{first.batch, first.channels, first.length + second.length, {}};
  for (int32_t row = 0; row < first.batch * first.channels; ++row) {
    for (const Signal* part : {&first, &second}) {
      const auto from = part->values.begin() + static_cast<ptrdiff_t>(row) * part->length;
      made.values.insert(made.values.end(), from, from + part->length);
    }
  }
  return made;
}

// Of each row the samples from `first` on.
Signal cut_off(const Signal& in, int64_t first) {
  Signal made{in.batch, in.channels, static_cast<int32_t>(in.length - first), {}};
  for (int32_t row = 0; row < in.batch * in.channels; ++row) {
    const auto from = in.values.begin() + static_cast<ptrdiff_t>(row) * in.length;
    made.values.insert(made.values.end(), from + first, from + in.length);
  }
  return made;
}

// Writes to `steady` what the stream gives from now on while nothing else comes.
void settle(Stream& stream, DType dtype, const Signal& level, std::vector<float>* steady) {
  if (dtype == DType::kFloat32) {
    EXPECT_FALSE(stream.settle(level.values.data(), steady->data()));
    return;
  }
  std::vector<uint16_t> outputs(steady->size());
  EXPECT_FALSE(stream.settle(narrowed(level.values).data(), outputs.data()));
  halves_to_floats(outputs.data(), steady->data(), steady->size());
}

// After settle() a stream gives what it gives after many samples of that value. False where it takes too many.
bool expect_to_settle(Random& random, const std::vector<Step>& steps, DType dtype, const Signal& in, double limit,
                      const std::string& what) {
  std::vector<int64_t> strides_of{1};
  for (const Step& step : steps) {
    strides_of.push_back(strides_of[static_cast<size_t>(step.input())] *
                         (step.layer ? step.layer->params().stride : 1));
  }
  const int64_t strides = strides_of.back();
  const int32_t chunk = draw(random, 1, 60);
  const auto stream = make_stream(steps, dtype, in, chunk);
  const auto reach = static_cast<int64_t>(stream->receptive_field() + std::abs(stream->latency()));
  const int64_t warm = (2 * reach / strides + 20) * strides;
  if (warm > 10000) return false;
  const auto level = [&](int64_t length) {
    return constant_signal(in.batch, in.channels, static_cast<int32_t>(length), static_cast<uint32_t>(in.length));
  };
  int64_t pushed = 0;
  int64_t before = 0;
  const Signal whole = run_stream(stream, dtype, joined(level(warm), in), [&] {
    const auto count = static_cast<int32_t>(std::min<int64_t>(chunk, pushed < warm ? warm - pushed : chunk));
    if (pushed < warm) before += stream->output_count(count);
    pushed += count;
    return count;
  });

  const auto rows = static_cast<size_t>(in.batch) * static_cast<size_t>(stream->out_channels());
  std::vector<float> steady(rows);
  settle(*stream, dtype, level(1), &steady);
  if (draw(random, 0, 1) == 0) {
    EXPECT_FALSE(restore(*stream, state_of(*stream)));
  }
  const Signal expected = cut_off(whole, before - 4);
  const Signal held = joined(level(4 * strides), in);
  const Signal got = run_stream(stream, dtype, held, [&] { return draw(random, 0, chunk); });
  if (limit == 0) {
    expect_same(expected, got, what);
  } else {
    expect_close(expected, got, limit, what);
  }
  for (size_t row = 0; row < rows; ++row) {
    for (int32_t t = 0; t < 4; ++t) {
      EXPECT_NEAR(steady[row], got.values[row * static_cast<size_t>(got.length) + static_cast<size_t>(t)], limit)
          << what;
    }
  }
  return true;
}

TEST(Stream, SettlesToWhereAConstantLeads) {
  Random random(9);
  int compared = 0;
  for (uint32_t trial = 0; trial < 600; ++trial) {
    const char* dtype_name = trial % 4 == 3 ? "float16" : "float32";
    const bool long_kernel = trial % 3 == 0;
    const Options options = long_kernel ? random_long_options(random, dtype_name) : random_options(random, dtype_name);
    TestLayer layer(options, trial);
    const DType dtype = layer.params().dtype;
    const Signal in = random_signal(draw(random, 1, 2), layer.params().in_channels, draw(random, 1, 500), trial);
    const double bound = largest_sum(layer, in);
    const double limit = !long_kernel ? 0 : dtype == DType::kFloat16 ? 0x1p-11 * bound : 0x1p-21 * bound;
    compared += expect_to_settle(random, {conv_step(0, layer)}, dtype, in, limit, text(options, in.length, 0)) ? 1 : 0;
  }
  EXPECT_GT(compared, 500);
}

TEST(Stream, NetworksSettleToWhereAConstantLeads) {
  Random random(10);
  int compared = 0;
  for (uint32_t trial = 0; trial < 600; ++trial) {
    const RandomNetwork network = random_network(random, trial);
    const std::string what = "network " + std::to_string(trial);
    compared += expect_to_settle(random, network.steps, network.dtype, network.in, 0, what) ? 1 : 0;
  }
  EXPECT_GT(compared, 500);
}

// Histories between long kernels hold what direct kernels would give, but for the error that the FFT may have.
TEST(Stream, NetworksOfLongKernelsSettleToWhereAConstantLeads) {
  Random random(11);
  int compared = 0;
  for (uint32_t trial = 0; trial < 30; ++trial) {
    std::vector<TestLayer> layers;
    std::vector<Step> steps;
    for (int32_t i = 0; i < 3; ++i) {
      Options o = layer_options(2, 2, 2 * draw(random, 10, 150) + 1);
      o.padding_rule = draw(random, 0, 1) == 0 ? "same" : "causal";
      o.activation = "tanh";
      o.algorithm = "fft";
      layers.emplace_back(o, trial * 10 + i);
      steps.push_back(conv_step(2 * i, layers.back()));
      steps.push_back(pair_step(2 * i, 2 * i + 1, "add", 2));
    }
    const Signal in = random_signal(1, 2, 500, trial);
    compared += expect_to_settle(random, steps, DType::kFloat32, in, 0x1p-12, "network " + std::to_string(trial));
  }
  EXPECT_GT(compared, 20);
}

// A receptive field of 2^35 samples is settled as fast as a short one.
TEST(Stream, SettlesAtOnceHoweverFarItReaches) {
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  for (int32_t i = 0; i < 2; ++i) {
    Options o = layer_options(1, 1, 1025);
    o.stride = 32768;
    o.dilation = 1024;
    layers.emplace_back(o, i);
    steps.push_back(conv_step(i, layers.back()));
  }
  std::unique_ptr<Stream> stream;
  ASSERT_FALSE(Stream::create({steps, DType::kFloat32, 1}, 1, 128, true, &stream));
  EXPECT_GT(stream->receptive_field(), int64_t{1} << 35);
  const float level = 0.5F;
  float steady = 0;
  EXPECT_FALSE(stream->settle(&level, &steady));
  float expected = level;
  for (TestLayer& layer : layers) {
    const auto* weights = static_cast<const float*>(layer.layer().weight());
    double sum = static_cast<const float*>(layer.layer().bias())[0];
    for (int32_t k = 0; k < 1025; ++k) sum += static_cast<double>(expected) * weights[k];
    expected = static_cast<float>(sum);
  }
  EXPECT_NEAR(steady, expected, 0x1p-10 * std::abs(expected) + 0x1p-10);
}

// Whatever is not a state of such a stream is refused, and then all is as before.
void expect_refused(Stream& stream, const std::vector<int32_t>& state, int64_t bytes, const std::string& text) {
  const auto before = state_of(stream);
  std::vector<int32_t> exact(state.begin(), state.begin() + bytes / 4);  // no room beyond
  const auto error = stream.restore(exact.data(), bytes);
  ASSERT_TRUE(error) << bytes;
  EXPECT_EQ(error->code, "ERR_STREAM_STATE");
  EXPECT_EQ(error->field, "state");
  EXPECT_NE(error->message.find(text), std::string::npos) << error->message;
  EXPECT_EQ(state_of(stream), before);
}

TEST(Stream, RefusesStatesThatAreNotItsOwn) {
  TestLayer layer(layer_options(2, 3, 3), 1);
  const Signal in = random_signal(1, 2, 20, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 8);
  std::vector<float> outputs(24);
  stream->push(in.values.data(), 8, outputs.data());
  auto state = state_of(*stream);
  const auto size = static_cast<int64_t>(state.size() * 4);
  for (int64_t bytes = 0; bytes < size; ++bytes) {
    expect_refused(*stream, state, bytes, bytes < 8 ? "what a stream's state() gave" : "bytes, got");
  }
  state.push_back(0);
  expect_refused(*stream, state, size + 4, "state must have " + std::to_string(size) + " bytes");
  state.pop_back();
  for (const size_t word : {0, 1}) {
    auto other = state;
    ++other[word];
    expect_refused(*stream, other, size, word == 0 ? "what a stream's state() gave" : "format 3, got 4");
  }

  const auto refuses = [&](const Options& options, double batch, bool flush, const std::string& text) {
    TestLayer other(options, 1);
    std::unique_ptr<Stream> made;
    ASSERT_FALSE(Stream::create(graph_of(other.share()), batch, 8, flush, &made));
    expect_refused(*made, state, size, "state must be of a stream with the same " + text);
  };
  const auto with = [](auto change) {
    Options options = layer_options(2, 3, 3);
    change(options);
    return options;
  };
  const auto same = with([](Options&) {});
  refuses(same, 2, true, "batch (2), got 1");
  refuses(same, 1, false, "denormals");
  refuses(layer_options(4, 3, 3), 1, true, "inChannels (4), got 2");
  refuses(layer_options(2, 5, 3), 1, true, "outChannels in step 1 (5), got 3");
  refuses(layer_options(2, 3, 5), 1, true, "kernelSize in step 1 (5), got 3");
  refuses(with([](Options& o) { o.stride = 2; }), 1, true, "stride in step 1 (2), got 1");
  refuses(with([](Options& o) { o.dilation = 2; }), 1, true, "dilation in step 1 (2), got 1");
  refuses(with([](Options& o) { o.pad_left = 2; }), 1, true, "padLeft in step 1 (2), got 0");
  refuses(with([](Options& o) { o.pad_right = 2; }), 1, true, "padRight in step 1 (2), got 0");
  refuses(with([](Options& o) { o.padding_mode = "reflect"; }), 1, true, "paddingMode in step 1");
  refuses(with([](Options& o) { o.bias = false; }), 1, true, "bias in step 1");
  refuses(with([](Options& o) { o.activation = "relu"; }), 1, true, "activation in step 1");
  refuses(with([](Options& o) { o.algorithm = "auto"; }), 1, true, "algorithm in step 1");
  refuses(with([](Options& o) { o.dtype = "float16"; }), 1, true, "dtype");
  const double slopes[] = {0.5, 0.25};
  Options leaky = with([](Options& o) { o.activation = "leaky_relu"; });
  leaky.parameters = std::span(slopes, 1);
  TestLayer steep(leaky, 1);
  state = state_of(*make_stream({conv_step(0, steep)}, DType::kFloat32, in, 8));
  leaky.parameters = std::span(slopes + 1, 1);
  refuses(leaky, 1, true, "activation parameter in step 1, got another");
  Options grouped = layer_options(2, 4, 3);
  TestLayer whole(grouped, 1);
  state = state_of(*make_stream({conv_step(0, whole)}, DType::kFloat32, in, 8));
  grouped.groups = 2;
  refuses(grouped, 1, true, "groups in step 1 (2), got 1");

  const Step tanh = activation_step(0, Activation::kTanh, in.channels);
  const Step doubled = pair_step(0, 0, "add", in.channels);
  const auto network = make_stream({tanh, conv_step(1, layer)}, DType::kFloat32, in, 8);
  expect_refused(*network, state, size, "steps (2), got 1");
  state = state_of(*make_stream({doubled, conv_step(1, layer)}, DType::kFloat32, in, 8));
  expect_refused(*network, state, size, "operands in step 1");
  state = state_of(*make_stream({tanh, conv_step(0, layer)}, DType::kFloat32, in, 8));
  expect_refused(*network, state, size, "operands in step 2");
}

// Damaged words: refused, or taken as numbers that some signal might have had.
TEST(Stream, DamagedStatesDoNoHarm) {
  Random random(12);
  int taken = 0;
  int refused = 0;
  for (uint32_t trial = 0; trial < 2000; ++trial) {
    const RandomNetwork network = random_network(random, trial, trial % 3 == 0);
    const int32_t chunk = draw(random, 1, 20);
    const auto stream = make_stream(network.steps, network.dtype, network.in, chunk);
    const auto outputs = static_cast<size_t>(network.in.batch) * static_cast<size_t>(stream->out_channels());
    std::vector<float> got;
    const auto push = [&] {
      got.resize(outputs * static_cast<size_t>(stream->output_count(chunk)));
      const std::vector<float> samples(static_cast<size_t>(network.in.batch) * network.in.channels * chunk, 0.5F);
      stream->push(samples.data(), chunk, got.data());
    };
    for (int32_t i = draw(random, 0, 3); i > 0; --i) push();
    auto state = state_of(*stream);
    for (int32_t i = draw(random, 1, 3); i > 0; --i) {
      const auto last = static_cast<int32_t>(state.size()) - 1;
      const auto word = static_cast<size_t>(draw(random, 0, draw(random, 0, 1) == 0 ? std::min(last, 90) : last));
      state[word] = draw(random, 0, 1) == 0 ? static_cast<int32_t>(random()) : state[word] ^ (1 << draw(random, 0, 31));
    }
    if (restore(*stream, state)) {
      ++refused;
      continue;
    }
    ++taken;
    for (int i = 0; i < 3; ++i) push();
    int64_t count = 0;
    if (stream->end_count(&count)) continue;
    got.resize(outputs * static_cast<size_t>(count));
    stream->end(got.data());
  }
  EXPECT_GT(taken, 200);
  EXPECT_GT(refused, 200);
}

// Whether two chains of layers give as many samples for each of many lengths, in turn.
bool same_lengths(const std::vector<TestLayer*>& first, const std::vector<TestLayer*>& second, int32_t strides) {
  const auto length_after = [](const std::vector<TestLayer*>& chain, double length) {
    for (TestLayer* layer : chain) {
      Geometry geometry{};
      EXPECT_FALSE(resolve(layer->params(), 1, length, &geometry));
      length = geometry.out_length;
    }
    return length;
  };
  for (int32_t length = 100000; length < 100000 + strides; ++length) {
    if (length_after(first, length) != length_after(second, length)) return false;
  }
  return true;
}

TEST(Stream, AddsWhatIsOfTheSameLengthForEveryInput) {
  Random random(13);
  int equal = 0;
  int different = 0;
  for (uint32_t trial = 0; trial < 4000; ++trial) {
    std::vector<TestLayer> layers;
    std::vector<TestLayer*> chains[2];
    std::vector<Step> steps;
    layers.reserve(6);
    int32_t strides = 1;
    int32_t ends[2];
    for (int chain = 0; chain < 2; ++chain) {
      ends[chain] = 0;
      for (int32_t i = draw(random, 1, 3); i > 0; --i) {
        Options o = layer_options(1, 1, draw(random, 1, 3));
        o.stride = draw(random, 1, 2);
        o.pad_left = draw(random, 0, 2);
        o.pad_right = draw(random, 0, 2);
        layers.emplace_back(o, trial);
        chains[chain].push_back(&layers.back());
        steps.push_back(conv_step(ends[chain], layers.back()));
        ends[chain] = static_cast<int32_t>(steps.size());
        strides *= static_cast<int32_t>(o.stride);
      }
    }
    steps.push_back(pair_step(ends[0], ends[1], "add", 1));
    const bool same = same_lengths(chains[0], chains[1], strides);
    ++(same ? equal : different);
    std::unique_ptr<Stream> stream;
    const auto error = Stream::create({steps, DType::kFloat32, 1}, 1, 4, true, &stream);
    ASSERT_EQ(!error, same) << "trial " << trial;
  }
  EXPECT_GT(equal, 100);
  EXPECT_GT(different, 100);
}

TEST(Stream, AddsBranchesOfHugeStrides) {
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  for (int32_t i = 0; i < 6; ++i) {
    Options o = layer_options(1, 1, 1 + i % 2);
    o.stride = 1024;
    if (i % 2 == 1) o.pad_left = 1;
    layers.emplace_back(o, i);
    steps.push_back(conv_step(i == 3 ? 0 : i, layers.back()));
  }
  steps.push_back(pair_step(3, 6, "add", 1));
  std::unique_ptr<Stream> stream;
  EXPECT_FALSE(Stream::create({steps, DType::kFloat32, 1}, 1, 4, true, &stream));
}

std::optional<Error> error_of(const Options& options, double batch = 1, double max_chunk = 8) {
  TestLayer layer(options, 1);
  std::unique_ptr<Stream> stream;
  return Stream::create(graph_of(layer.share()), batch, max_chunk, true, &stream);
}

TEST(Stream, RefusesWhatDependsOnTheSignalsEnd) {
  Options circular = layer_options(1, 1, 3);
  circular.padding_mode = "circular";
  EXPECT_FALSE(error_of(circular));  // it pads nothing
  circular.pad_left = 1;
  EXPECT_EQ(error_of(circular)->field, "paddingMode");
  Options same = layer_options(1, 1, 3);
  same.padding_rule = "same";
  EXPECT_FALSE(error_of(same));
  same.stride = 2;
  EXPECT_EQ(error_of(same)->field, "padding");
  EXPECT_EQ(error_of(layer_options(1, 1, 1), 0)->field, "batch");
  EXPECT_EQ(error_of(layer_options(1, 1, 1), 1, 1.5)->field, "maxChunk");
  EXPECT_EQ(error_of(layer_options(1, 1, 1), 1 << 20, 1 << 20)->code, "ERR_OUT_OF_MEMORY");
  EXPECT_EQ(error_of(layer_options(1, 1, 3), 1, 2147483647)->code, "ERR_OUT_OF_MEMORY");
}

TEST(Stream, RefusesToAddWhatDoesNotLineUp) {
  TestLayer layer(layer_options(2, 2, 3), 1);
  std::unique_ptr<Stream> stream;
  const Step sum = pair_step(0, 1, "add", 2);
  const auto error = Stream::create({{conv_step(0, layer), sum}, DType::kFloat32, 2}, 1, 8, true, &stream);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "ERR_SHAPE");
}

TEST(Stream, TooShortForItsReflectionFailsAndGoesOn) {
  Options options = layer_options(1, 1, 3);
  options.padding_mode = "reflect";
  options.pad_left = options.pad_right = 4;
  TestLayer layer(options, 1);
  const Signal in = random_signal(1, 1, 20, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 4);
  stream->push(in.values.data(), 4, nullptr);
  int64_t count = 0;
  const auto error = stream->end_count(&count);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "reflect padding (4) must be at most L - 1 (3)");
  const Signal rest{1, 1, 16, std::vector<float>(in.values.begin() + 4, in.values.end())};
  expect_same(*run_whole(layer.forward(), in), run_stream(stream, DType::kFloat32, rest, [] { return 4; }), "after it");
}

}  // namespace
}  // namespace conv1d
