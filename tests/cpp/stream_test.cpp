#include "stream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "half.h"
#include "layer.h"
#include "pack.h"
#include "partitioned.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

// Rows of samples, as layers take them and give them.
struct Signal {
  int32_t batch;
  int32_t channels;
  int32_t length;
  std::vector<float> values;

  float& at(int32_t row, int32_t t) { return values[static_cast<size_t>(row) * length + t]; }
};

Signal random_signal(int32_t batch, int32_t channels, int32_t length, uint32_t seed) {
  return {batch, channels, length, random_values(static_cast<size_t>(batch) * channels * length, seed)};
}

std::vector<uint16_t> narrowed(const std::vector<float>& values) {
  std::vector<uint16_t> halves(values.size());
  floats_to_halves(values.data(), halves.data(), values.size());
  return halves;
}

// forward() of the whole, or nothing where there is none.
std::optional<Signal> forward(Plan& plan, const Signal& in) {
  ThreadPool pool(1);
  if (plan.prepare(in.batch, in.length, 1)) return std::nullopt;
  const Geometry& g = plan.geometry();
  Signal out{in.batch, plan.params().out_channels, g.out_length, {}};
  out.values.resize(static_cast<size_t>(out.batch) * out.channels * out.length);
  if (plan.params().dtype == DType::kFloat32) {
    plan.run(in.values.data(), out.values.data(), pool);
  } else {
    const auto halves = narrowed(in.values);
    std::vector<uint16_t> results(out.values.size());
    plan.run(halves.data(), results.data(), pool);
    halves_to_floats(results.data(), out.values.data(), results.size());
  }
  return out;
}

// The network's steps over whole signals, one after the other.
std::optional<Signal> forward(const std::vector<Step>& steps, DType dtype, const Signal& in) {
  std::vector<Signal> values{in};
  for (const Step& step : steps) {
    Signal a = values[static_cast<size_t>(step.input)];
    Signal b = values[static_cast<size_t>(step.other)];
    if (step.plan) {
      auto out = forward(*step.plan, a);
      if (!out) return std::nullopt;
      values.push_back(*out);
      continue;
    }
    EXPECT_EQ(a.length, b.length);
    Signal out = a;
    const bool gate = step.elementwise.kind == Elementwise::Kind::kGate;
    if (gate) {
      out.channels /= 2;
      out.values.resize(out.values.size() / 2);
    }
    for (int32_t row = 0; row < out.batch * out.channels; ++row) {
      const int32_t first = gate ? row / out.channels * a.channels + row % out.channels : row;
      const int32_t second = gate ? first + out.channels : row;
      for (int32_t t = 0; t < out.length; ++t) {
        apply_elementwise(step.elementwise, &a.at(first, t), &b.at(second, t), &out.at(row, t), 1);
      }
    }
    if (dtype == DType::kFloat16) round_to_halves(out.values.data(), out.values.size());
    values.push_back(out);
  }
  return values.back();
}

// All pushes and the end of a stream, the signal cut as `cut` says.
template <class Cut>
Signal run_stream(Stream& stream, DType dtype, const Signal& in, Cut cut) {
  Signal out{in.batch, stream.out_channels(), 0, {}};
  std::vector<std::vector<float>> rows(static_cast<size_t>(out.batch) * out.channels);
  const auto take = [&](size_t count, auto call) {
    std::vector<float> got(rows.size() * count);
    if (dtype == DType::kFloat32) {
      call(got.data());
    } else {
      std::vector<uint16_t> halves(got.size());
      call(halves.data());
      halves_to_floats(halves.data(), got.data(), got.size());
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].insert(rows[r].end(), got.begin() + static_cast<ptrdiff_t>(r * count),
                     got.begin() + static_cast<ptrdiff_t>((r + 1) * count));
    }
  };
  for (int32_t t = 0; t < in.length;) {
    const int32_t count = std::min(in.length - t, cut());
    std::vector<float> chunk;
    for (int32_t row = 0; row < in.batch * in.channels; ++row) {
      const auto from = in.values.begin() + static_cast<ptrdiff_t>(row) * in.length + t;
      chunk.insert(chunk.end(), from, from + count);
    }
    const auto halves = narrowed(chunk);
    const void* data = dtype == DType::kFloat32 ? static_cast<const void*>(chunk.data()) : halves.data();
    take(static_cast<size_t>(stream.output_count(count)), [&](void* to) { stream.push(data, count, to); });
    t += count;
  }
  int64_t count = 0;
  const auto error = stream.end_count(&count);
  EXPECT_FALSE(error) << error->message;
  take(static_cast<size_t>(count), [&](void* to) { stream.end(to); });
  for (const auto& row : rows) out.values.insert(out.values.end(), row.begin(), row.end());
  out.length = static_cast<int32_t>(rows[0].size());
  return out;
}

std::unique_ptr<Stream> make_stream(std::vector<Step> steps, DType dtype, const Signal& in, int32_t max_chunk) {
  std::unique_ptr<Stream> stream;
  const auto error = Stream::create(std::move(steps), dtype, in.channels, in.batch, max_chunk, true, &stream);
  EXPECT_FALSE(error) << error->message;
  return stream;
}

void expect_same(const Signal& expected, const Signal& got, const std::string& what) {
  ASSERT_EQ(expected.length, got.length) << what;
  EXPECT_EQ(0, std::memcmp(expected.values.data(), got.values.data(), expected.values.size() * sizeof(float))) << what;
}

Step conv_step(int32_t input, Layer& layer) { return {input, input, layer.share(), {}}; }

Options random_options(Random& random, const char* dtype) {
  const int32_t groups = draw(random, 0, 2) == 0 ? draw(random, 1, 4) : 1;
  Options o = layer_options(groups * draw(random, 1, 5), groups * draw(random, 1, 9), draw(random, 1, 7));
  o.groups = groups;
  o.stride = draw(random, 0, 1) == 0 ? 1 : draw(random, 1, 5);
  o.dilation = draw(random, 0, 1) == 0 ? 1 : draw(random, 1, 9);
  o.dtype = dtype;
  o.bias = draw(random, 0, 3) > 0;
  o.activation = kActivationNames[draw(random, 0, 7)];
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
    Layer layer(options, trial);
    const DType dtype = layer.plan().params().dtype;
    const Signal in =
        random_signal(draw(random, 1, 2), layer.plan().params().in_channels, draw(random, 1, 150), trial + 1);
    const auto expected = forward(layer.plan(), in);
    if (!expected) continue;
    ++compared;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 64));
    const auto stream = make_stream({conv_step(0, layer)}, dtype, in, max_chunk);
    for (int round = 0; round < 2; ++round) {
      const Signal got = run_stream(*stream, dtype, in, [&] { return draw(random, 0, max_chunk); });
      expect_same(*expected, got, text(options, in.length, max_chunk));
      stream->reset();
    }
  }
  EXPECT_GT(compared, 2000);
}

// Layers of one chain, with sums, products, gates and activations between them wherever lengths allow.
TEST(Stream, NetworksEqualTheWholeHoweverTheyAreCut) {
  Random random(2);
  int compared = 0;
  int pairs = 0;
  for (uint32_t trial = 0; trial < 1500; ++trial) {
    const char* dtype_name = trial % 4 == 3 ? "float16" : "float32";
    std::vector<Layer> layers;
    std::vector<Step> steps;
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
      Step step{input, input, nullptr, {Elementwise::Kind::kActivation, Activation::kTanh, 0}};
      Shape out = in;
      bool conv = kind > 2;
      if (kind == 1) {
        conv = in.channels % 2 != 0;
        step.elementwise.kind = Elementwise::Kind::kGate;
        out.channels /= 2;
      } else if (kind == 2) {
        conv = true;
        for (int32_t other = 0; other <= i; ++other) {
          const Shape& shape = shapes[static_cast<size_t>(other)];
          if (other == input || shape.channels != in.channels || shape.stretch != in.stretch) continue;
          step.elementwise.kind = draw(random, 0, 1) == 0 ? Elementwise::Kind::kAdd : Elementwise::Kind::kMultiply;
          step.other = other;
          conv = false;
          ++pairs;
        }
      }
      if (conv) {
        step.other = input;
        Options o = layer_options(in.channels, draw(random, 0, 1) == 0 ? in.channels : 2 * draw(random, 1, 3), 3);
        o.dilation = draw(random, 1, 4);
        o.dtype = dtype_name;
        const char* modes[] = {"zeros", "zeros", "reflect", "replicate"};
        o.padding_mode = modes[draw(random, 0, 3)];
        o.pad_left = draw(random, 0, static_cast<int32_t>(2 * o.dilation) + 3);
        o.pad_right = std::max(0.0, 2 * o.dilation - o.pad_left);
        if (draw(random, 0, 2) == 0) o.padding_rule = "causal";
        if (draw(random, 0, 9) == 0) o.stride = 2;
        const double longer = o.padding_rule == "causal" ? 0 : o.pad_left + o.pad_right - 2 * o.dilation;
        out = {static_cast<int32_t>(o.out_channels), o.stride == 1 ? in.stretch + longer : 1000.0 + i};
        layers.emplace_back(o, trial * 100 + i);
        step.plan = layers.back().share();
      }
      steps.push_back(step);
      shapes.push_back(out);
    }
    const DType dtype = trial % 4 == 3 ? DType::kFloat16 : DType::kFloat32;
    Signal in = random_signal(draw(random, 1, 2), shapes[0].channels, draw(random, 1, 120), trial);
    if (dtype == DType::kFloat16) round_to_halves(in.values.data(), in.values.size());
    const auto expected = forward(steps, dtype, in);
    if (!expected) continue;
    ++compared;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 40));
    const auto stream = make_stream(steps, dtype, in, max_chunk);
    for (int round = 0; round < 2; ++round) {
      const Signal got = run_stream(*stream, dtype, in, [&] { return draw(random, 0, max_chunk); });
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
double largest_sum(Layer& layer, const Signal& in) {
  const Params& p = layer.plan().params();
  const auto size = static_cast<size_t>(p.weight_size());
  std::vector<float> weights(size);
  widen(p.dtype, layer.plan().weights().weight(), weights.data(), size);
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
    Layer layer(options, trial);
    Options plain = options;
    plain.algorithm = "direct";
    Layer direct(plain, trial);
    const DType dtype = layer.plan().params().dtype;
    const Signal in =
        random_signal(draw(random, 1, 2), layer.plan().params().in_channels, draw(random, 1, 2000), trial + 1);
    const auto expected = forward(direct.plan(), in);
    if (!expected) continue;
    ++compared;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 300));
    const auto stream = make_stream({conv_step(0, layer)}, dtype, in, max_chunk);
    std::optional<Signal> first;
    for (int round = 0; round < 3; ++round) {
      const Signal got = run_stream(*stream, dtype, in, [&] { return round == 0 ? 1 : draw(random, 0, max_chunk); });
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
  std::vector<Layer> layers;
  std::vector<Step> steps;
  for (int32_t i = 0; i < 8; ++i) {
    Options o = layer_options(16, 16, 3);
    o.dilation = 1 << i;
    o.padding_rule = "causal";
    o.activation = "tanh";
    layers.emplace_back(o, i);
    steps.push_back(conv_step(2 * i, layers.back()));
    steps.push_back({2 * i, 2 * i + 1, nullptr, {Elementwise::Kind::kAdd, {}, 0}});
  }
  const Signal in = random_signal(1, 16, 1200, 3);
  const auto expected = forward(steps, DType::kFloat32, in);
  const auto stream = make_stream(steps, DType::kFloat32, in, 128);
  EXPECT_EQ(stream->latency(), 0);
  EXPECT_EQ(stream->receptive_field(), 1 + 2 * 255);
  expect_same(*expected, run_stream(*stream, DType::kFloat32, in, [] { return 1; }), "one by one");
  stream->reset();
  expect_same(*expected, run_stream(*stream, DType::kFloat32, in, [] { return 128; }), "128 at a time");
}

TEST(Stream, NewWeightsCountFromTheNextPush) {
  Layer layer(layer_options(2, 3, 1), 1);
  const Signal in = random_signal(1, 2, 8, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 8);
  std::vector<float> before(24);
  std::vector<float> after(24);
  stream->push(in.values.data(), 8, before.data());
  static_cast<float*>(layer.plan().weights().weight())[0] += 1;
  layer.plan().weights().changed();
  stream->push(in.values.data(), 8, after.data());
  EXPECT_EQ(forward(layer.plan(), in)->values, after);
  EXPECT_NE(before, after);
}

// Partitions long enough for their work to be spread over several pushes.
TEST(Stream, AReverbGivesTheSameBitsHoweverItIsCut) {
  Options options = layer_options(2, 2, 6000);
  options.groups = 2;
  options.padding_rule = "causal";
  options.algorithm = "auto";
  Layer layer(options, 1);
  ASSERT_GE(choose_partition(layer.plan().params(), 128), 256);
  options.algorithm = "direct";
  Layer direct(options, 1);
  const Signal in = random_signal(1, 2, 9000, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
  EXPECT_EQ(stream->latency(), 0);
  const Signal got = run_stream(*stream, DType::kFloat32, in, [] { return 128; });
  expect_close(*forward(direct.plan(), in), got, 0x1p-21 * largest_sum(direct, in), "reverb");
  Random random(4);
  for (const int32_t most : {1, 100, 128}) {
    stream->reset();
    expect_same(got, run_stream(*stream, DType::kFloat32, in, [&] { return draw(random, most == 1 ? 1 : 0, most); }),
                "cut");
  }
}

// Long kernels one after the other, one that looks ahead among them, with residuals across.
TEST(Stream, NetworksOfLongKernelsGiveTheSameBitsHoweverTheyAreCut) {
  Random random(5);
  for (uint32_t trial = 0; trial < 60; ++trial) {
    std::vector<Layer> layers;
    std::vector<Layer> plain;
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
      const Step sum{2 * i, 2 * i + 1, nullptr, {Elementwise::Kind::kAdd, {}, 0}};
      steps.push_back(sum);
      plain_steps.push_back(sum);
    }
    const Signal in = random_signal(draw(random, 1, 2), 2, draw(random, 700, 1500), trial);
    const int32_t max_chunk = draw(random, 1, 200);
    const auto stream = make_stream(steps, DType::kFloat32, in, max_chunk);
    const Signal got = run_stream(*stream, DType::kFloat32, in, [] { return 1; });
    stream->reset();
    const std::string what = "network " + std::to_string(trial);
    expect_same(got, run_stream(*stream, DType::kFloat32, in, [&] { return draw(random, 0, max_chunk); }), what);
    const Signal expected = *forward(plain_steps, DType::kFloat32, in);
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
    Layer layer(options, 1);
    options.algorithm = "direct";
    Layer other(options, 9);
    const Signal in = random_signal(1, 2, 2000, 2);
    const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
    int32_t pushed = 0;
    const Signal got = run_stream(*stream, DType::kFloat32, in, [&] {
      if (pushed == before) {
        std::memcpy(layer.plan().weights().weight(), other.plan().weights().weight(),
                    size_t{2} * 2 * 600 * sizeof(float));
        std::memcpy(layer.plan().weights().bias(), other.plan().weights().bias(), 2 * sizeof(float));
        layer.plan().weights().changed();
      }
      const int32_t next = std::min(100, pushed < before ? before - pushed : 100);
      pushed += next;
      return next;
    });
    const auto expected = forward(other.plan(), in);
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
  Layer layer(options, 1);
  Signal in = random_signal(1, 1, 30, 2);
  in.values[10] = std::numeric_limits<float>::quiet_NaN();
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 7);
  const Signal got = run_stream(*stream, DType::kFloat32, in, [] { return 7; });
  for (size_t t = 0; t < 30; ++t) EXPECT_EQ(std::isnan(got.values[t]), t >= 10 && t < 14) << t;
}

TEST(Stream, SpecialNumbersLeaveALongKernelSoonAfterTheirWindow) {
  Options options = layer_options(1, 1, 700);
  options.padding_rule = "causal";
  options.algorithm = "fft";
  Layer layer(options, 1);
  const int32_t partition = choose_partition(layer.plan().params(), 128);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Signal in = random_signal(1, 1, 3000, 2);
    in.values[1000] = bad;
    const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
    const Signal got = run_stream(*stream, DType::kFloat32, in, [] { return 128; });
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
  Layer layer(options, 1);
  Signal in{1, 1, 8000, std::vector<float>(8000)};
  for (size_t t = 0; t < in.values.size(); ++t) in.values[t] = std::exp2(-static_cast<float>(t) / 40);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 128);
  const Signal got = run_stream(*stream, DType::kFloat32, in, [] { return 128; });
  const auto silent = [](float x) { return x == 0; };
  EXPECT_FALSE(std::any_of(got.values.begin(), got.values.begin() + 3000, silent));
  EXPECT_TRUE(std::all_of(got.values.begin() + 6000, got.values.end(), silent));
}

TEST(Stream, TinySamplesCountAsSilenceUnlessKept) {
  Layer layer(layer_options(1, 1, 1), 1);
  const float quiet[] = {1e-31F, -1e-38F, 1e-29F, 1e-40F, -1e-31F};
  for (const bool flush : {true, false}) {
    std::unique_ptr<Stream> stream;
    ASSERT_FALSE(Stream::create({conv_step(0, layer)}, DType::kFloat32, 1, 1, 5, flush, &stream));
    std::vector<float> got(5);
    stream->push(quiet, 5, got.data());
    const Signal in{1, 1, 5, {0, 0, quiet[2], 0, 0}};
    const Signal kept{1, 1, 5, std::vector<float>(quiet, quiet + 5)};
    EXPECT_EQ(forward(layer.plan(), flush ? in : kept)->values, got);
  }
}

std::optional<Error> error_of(const Options& options, double batch = 1, double max_chunk = 8) {
  Layer layer(options, 1);
  std::unique_ptr<Stream> stream;
  return Stream::create({conv_step(0, layer)}, layer.plan().params().dtype, layer.plan().params().in_channels, batch,
                        max_chunk, true, &stream);
}

TEST(Stream, RefusesWhatHangsOnTheSignalsEnd) {
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
}

TEST(Stream, RefusesToAddWhatDoesNotLineUp) {
  Layer layer(layer_options(2, 2, 3), 1);
  std::unique_ptr<Stream> stream;
  const Step sum{0, 1, nullptr, {Elementwise::Kind::kAdd, {}, 0}};
  const auto error = Stream::create({conv_step(0, layer), sum}, DType::kFloat32, 2, 1, 8, true, &stream);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "ERR_SHAPE");
}

TEST(Stream, TooShortForItsReflectionFailsAndGoesOn) {
  Options options = layer_options(1, 1, 3);
  options.padding_mode = "reflect";
  options.pad_left = options.pad_right = 4;
  Layer layer(options, 1);
  const Signal in = random_signal(1, 1, 20, 2);
  const auto stream = make_stream({conv_step(0, layer)}, DType::kFloat32, in, 4);
  stream->push(in.values.data(), 4, nullptr);
  int64_t count = 0;
  const auto error = stream->end_count(&count);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "reflect padding (4) must be at most L - 1 (3)");
  const Signal rest{1, 1, 16, std::vector<float>(in.values.begin() + 4, in.values.end())};
  expect_same(*forward(layer.plan(), in), run_stream(*stream, DType::kFloat32, rest, [] { return 4; }), "after it");
}

}  // namespace
}  // namespace conv1d
