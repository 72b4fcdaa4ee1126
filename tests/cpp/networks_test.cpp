// Networks of all operations: whole, step by step and in pieces they give the same bits.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "operations/recurrent.h"
#include "operator/pack.h"
#include "passes/depth_first.h"
#include "passes/stream.h"
#include "test_graph.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

bool heads(Random& random) { return draw(random, 0, 1) == 0; }

struct Made {
  DType dtype;
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  std::vector<Signal> values;  // the input, then what each step makes of them, step by step
  std::string text;

  const Signal& in() const { return values.front(); }
};

std::vector<double> numbers_for(Random& random, int32_t count) {
  std::vector<double> numbers;
  numbers.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) numbers.push_back(0.25 * draw(random, 1, 12));
  return numbers;
}

Step transposed_step(Random& random, Made* made, int32_t input, int32_t channels) {
  const int32_t groups = channels % 2 == 0 && heads(random) ? 2 : 1;
  Options o = layer_options(channels, groups * draw(random, 1, 5), draw(random, 1, 7));
  o.transposed = true;
  o.groups = groups;
  o.stride = draw(random, 1, 4);
  o.dilation = heads(random) ? 1 : draw(random, 1, 3);
  o.output_padding = draw(random, 0, static_cast<int32_t>(std::max(o.stride, o.dilation)) - 1);
  const int32_t most = static_cast<int32_t>(o.dilation * (o.kernel_size - 1)) / 2;
  o.pad_left = draw(random, 0, most);
  o.pad_right = draw(random, 0, most);
  o.bias = heads(random);
  o.activation = heads(random) ? "none" : "tanh";
  o.dtype = made->dtype == DType::kFloat16 ? "float16" : "float32";
  made->layers.emplace_back(o, draw(random, 0, 1 << 20));
  return conv_step(input, made->layers.back());
}

Step convolution_step(Random& random, Made* made, int32_t input, int32_t channels) {
  Options o = layer_options(channels, draw(random, 1, 6), draw(random, 1, 4));
  o.stride = heads(random) ? 1 : draw(random, 1, 3);
  o.dilation = draw(random, 1, 3);
  o.pad_left = draw(random, 0, 4);
  o.pad_right = draw(random, 0, 4);
  o.dtype = made->dtype == DType::kFloat16 ? "float16" : "float32";
  made->layers.emplace_back(o, draw(random, 0, 1 << 20));
  return conv_step(input, made->layers.back());
}

Step recurrent_step(Random& random, int32_t input, int32_t channels) {
  const auto cell = heads(random) ? Recurrent::Cell::kLstm : Recurrent::Cell::kGru;
  auto made = Recurrent::make(cell, channels, draw(random, 1, 9));
  const auto values = random_values((*made)->weight_count(), static_cast<uint32_t>(draw(random, 0, 1 << 20)));
  std::ranges::copy(values, (*made)->weights());
  (*made)->changed();
  return {{input}, nullptr, *made};
}

// One that takes `channels` channels of value `input`.
Step random_step(Random& random, Made* made, int32_t input, bool streams) {
  const int32_t channels = made->values[static_cast<size_t>(input)].channels;
  const auto step = [&](const char* kind, const std::vector<double>& numbers = {}) {
    return operation_step({input}, kind, {channels}, numbers);
  };
  const auto both = [](std::vector<double> a, const std::vector<double>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  switch (draw(random, 0, streams ? 19 : 22)) {
    case 0:
    case 1:
      return convolution_step(random, made, input, channels);
    case 2:
    case 3:
      return transposed_step(random, made, input, channels);
    case 4:
      return recurrent_step(random, input, channels);
    case 5:
    case 6: {
      const int32_t taps = draw(random, 1, 4);
      const char* kind = heads(random) ? "maxPool" : "averagePool";
      return step(kind, {double(taps), double(draw(random, 1, 4)), double(draw(random, 0, taps / 2)),
                         double(draw(random, 1, 2)), double(draw(random, 0, 1)), double(draw(random, 0, 1))});
    }
    case 7:
    case 8: {
      const int32_t size = made->values[static_cast<size_t>(input)].length;
      for (auto other = static_cast<int32_t>(made->steps.size()); other >= 0; --other) {
        const Signal& value = made->values[static_cast<size_t>(other)];
        if (other == input || value.length != size) continue;
        if (value.channels != channels || heads(random)) {
          return operation_step({input, other, input}, "concat", {channels, value.channels, channels});
        }
        const char* kinds[] = {"add", "subtract", "multiply", "divide"};
        return pair_step(input, other, kinds[draw(random, 0, 3)], channels);
      }
      return step("add", {1.5});
    }
    case 9:
      return step("upsample", {double(draw(random, 1, 4)), double(draw(random, 0, 1))});
    case 10:
    case 11:
      return step("pad", {double(draw(random, -3, 3)), double(draw(random, -3, 3)), 0.5});
    case 12:
      return step("affine", both(numbers_for(random, channels), numbers_for(random, channels)));
    case 13: {
      const int32_t begin = draw(random, 0, channels - 1);
      return step("slice", {double(begin), double(draw(random, 1, channels - begin)), 1.0});
    }
    case 14:
      if (channels % 2 != 0) return step("abs");
      return step(heads(random) ? "gate" : heads(random) ? "glu" : "magnitude");
    case 15:
      return step(heads(random) ? "softmax" : "logSoftmax");
    case 16:
      return step("layerNorm", both({1e-5}, both(numbers_for(random, channels), numbers_for(random, channels))));
    case 17: {
      const char* kinds[] = {"square", "sqrt", "abs", "exp", "log"};
      return step(kinds[draw(random, 0, 4)]);
    }
    case 18:
      return step("clip", {-1, 1});
    case 19:
      return step(draw(random, 0, 3) > 0 ? "subtract"
                  : heads(random)        ? "globalMaxPool"
                                         : "globalAveragePool",
                  numbers_for(random, channels));
    case 20:
      return step("reverse");
    default:
      return step("groupNorm", both({double(heads(random) ? 1 : channels), 1e-5},
                                    both(numbers_for(random, channels), numbers_for(random, channels))));
  }
}

Made random_network(Random& random, uint32_t seed, bool streams, int32_t most_samples = 90) {
  Made made{seed % 4 == 3 ? DType::kFloat16 : DType::kFloat32, {}, {}, {}, "network " + std::to_string(seed) + ":"};
  made.layers.reserve(16);
  made.values.push_back(random_signal(draw(random, 1, 2), draw(random, 1, 5), draw(random, 1, most_samples), seed));
  if (made.dtype == DType::kFloat16) {
    round_to_halves(made.values[0].values.data(), made.values[0].values.size());
  }
  for (int32_t i = draw(random, 1, 6); i > 0; --i) {
    const auto last = static_cast<int32_t>(made.steps.size());
    const Step step = random_step(random, &made, draw(random, std::max(0, last - 2), last), streams);
    std::vector<Signal> operands;
    operands.reserve(step.operands.size());
    for (const int32_t operand : step.operands) operands.push_back(made.values[static_cast<size_t>(operand)]);
    const auto out = run_step(step, operands, made.dtype);
    if (!out || out->length > std::max(4000, 2 * most_samples)) continue;
    made.text += step.layer ? (step.layer->params().transposed ? " transposed" : " conv")
                            : " " + std::string(step.operation->id().name);
    made.steps.push_back(step);
    made.values.push_back(*out);
  }
  return made;
}

TEST(Networks, WholeSignalsAreTheStepsOneAfterTheOther) {
  Random random(21);
  int compared = 0;
  for (uint32_t trial = 0; trial < 3000; ++trial) {
    const Made made = random_network(random, trial, false);
    if (made.steps.empty()) continue;
    Forward forward({made.steps, made.dtype, made.in().channels});
    const auto got = run_whole(forward, made.in(), draw(random, 1, 3), draw(random, 1, 9));
    ASSERT_TRUE(got) << made.text;
    ASSERT_TRUE(are_same(made.values.back(), *got)) << made.text;
    ++compared;
  }
  EXPECT_GT(compared, 2000);
}

TEST(Networks, StreamsGiveTheBitsOfWholeSignals) {
  Random random(22);
  std::set<std::string> met;
  int compared = 0;
  for (uint32_t trial = 0; trial < 6000; ++trial) {
    const Made made = random_network(random, trial, true);
    if (made.steps.empty()) continue;
    const int32_t max_chunk = draw(random, 1, draw(random, 1, 40));
    std::unique_ptr<Stream> stream;
    const auto error =
        Stream::create({made.steps, made.dtype, made.in().channels}, made.in().batch, max_chunk, false, &stream);
    if (error) {
      // Branches whose lengths agree for this signal and not for all.
      ASSERT_EQ(error->code, "ERR_SHAPE") << made.text << error->message;
      continue;
    }
    // Perhaps another one goes on in the middle.
    const auto cut = [&] {
      if (draw(random, 0, 9) == 0) {
        std::unique_ptr<Stream> copy;
        EXPECT_FALSE(stream->clone(&copy));
        stream = std::move(copy);
      }
      return draw(random, 0, max_chunk);
    };
    const Signal got = run_stream(stream, made.dtype, made.in(), cut);
    ASSERT_TRUE(are_same(made.values.back(), got)) << made.text << " of " << made.in().length << " in " << max_chunk;
    for (const Step& step : made.steps) met.insert(step.layer ? "layer" : step.operation->id().name);
    ++compared;
  }
  EXPECT_GT(compared, 4000);
  EXPECT_GE(met.size(), 24U);
}

TEST(Networks, DepthFirstGivesTheBitsOfStepByStep) {
  Random random(24);
  int compared = 0;
  int cut = 0;
  for (uint32_t trial = 0; trial < 3000; ++trial) {
    const Made made = random_network(random, trial, true, 2500);
    if (made.steps.empty() || made.dtype == DType::kFloat16) continue;
    const Signal& in = made.in();
    const Signal& expected = made.values.back();
    const int threads = draw(random, 1, 4);
    const auto depth_first =
        DepthFirst::make({made.steps, made.dtype, in.channels}, in.batch, in.length, expected.length, threads);
    if (!depth_first) continue;
    Signal got = expected;
    std::ranges::fill(got.values, -1.0F);
    ThreadPool pool(threads);
    depth_first->pack();
    pool.parallel_for(depth_first->pieces(), depth_first->threads(), [&](int piece, int thread) {
      depth_first->run(piece, piece + 1, in.values.data(), got.values.data(), thread);
    });
    ASSERT_TRUE(are_same(expected, got)) << made.text << " of " << in.length << ", " << depth_first->pieces();
    ++compared;
    if (depth_first->pieces() > in.batch) ++cut;
  }
  EXPECT_GT(compared, 500);
  EXPECT_GT(cut, 50);
}

// 16 channels over a long signal do not stay in the caches between steps.
TEST(Networks, NarrowOnesGoDepthFirst) {
  std::vector<TestLayer> layers;
  std::vector<Step> steps;
  for (int32_t i = 0; i < 3; ++i) {
    Options o = layer_options(8, 8, 3);
    o.dilation = 1 << i;
    o.padding_rule = "causal";
    layers.emplace_back(o, i);
    steps.push_back(conv_step(2 * i, layers.back()));
    steps.push_back(activation_step(2 * i + 1, Activation::kTanh, 8));
  }
  for (const int32_t length : {1000, 20000}) {
    const Signal in = random_signal(2, 8, length, 5);
    Forward forward({steps, DType::kFloat32, 8});
    ASSERT_FALSE(forward.prepare(2, length, 2));
    EXPECT_EQ(forward.goes_depth_first(), length == 20000);
    EXPECT_TRUE(are_same(*run_whole(steps, DType::kFloat32, in), *run_whole(forward, in, 2))) << length;
  }
}

TEST(Networks, StreamsRefuseWhatNeedsTheWholeSignal) {
  for (const char* kind : {"reverse", "groupNorm"}) {
    std::unique_ptr<Stream> stream;
    const Step step = operation_step({0}, kind, {1}, {1, 1e-5, 1, 0});
    const auto error = Stream::create({{step}, DType::kFloat32, 1}, 1, 8, true, &stream);
    ASSERT_TRUE(error) << kind;
    EXPECT_EQ(error->code, "ERR_UNSUPPORTED");
    EXPECT_NE(error->message.find(kind), std::string::npos) << error->message;
  }
}

// After settle() a stream goes on as after a long constant signal.
TEST(Networks, SettleWhereAConstantLeads) {
  Random random(23);
  int compared = 0;
  for (uint32_t trial = 0; trial < 300; ++trial) {
    const Made made = random_network(random, trial, true);
    if (made.steps.empty()) continue;
    const int32_t max_chunk = 8;
    std::unique_ptr<Stream> settled;
    std::unique_ptr<Stream> pushed;
    const Graph graph{made.steps, made.dtype, made.in().channels};
    const int32_t batch = made.in().batch;
    if (Stream::create(graph, batch, max_chunk, false, &settled)) continue;
    ASSERT_FALSE(Stream::create(graph, batch, max_chunk, false, &pushed));
    const auto samples = static_cast<size_t>(batch) * static_cast<size_t>(made.in().channels);
    const size_t rows = static_cast<size_t>(batch) * static_cast<size_t>(settled->out_channels());
    const auto element = static_cast<size_t>(element_bytes(made.dtype));
    std::vector<uint8_t> level(samples * 8 * element);  // silence, in either dtype
    std::vector<uint8_t> steady(rows * element);
    const bool has_recurrent =
        made.text.find("lstm") != std::string::npos || made.text.find("gru") != std::string::npos;
    if (settled->settle(level.data(), steady.data())) {
      ASSERT_NE(made.text.find("global"), std::string::npos) << made.text;
      continue;
    }
    if (has_recurrent) continue;  // whose states come to rest in their own time
    // A multiple of all strides.
    std::vector<uint8_t> before(rows * element * 4096);
    for (int32_t t = 0; t < 27 * 1024; t += 8) pushed->push(level.data(), 8, before.data());
    std::vector<uint8_t> chunk(level.size());
    std::ranges::generate(chunk, [&] { return static_cast<uint8_t>(draw(random, 0, 59)); });  // finite numbers
    for (int32_t i = 0; i < 20; ++i) {
      const auto count = static_cast<size_t>(settled->output_count(8));
      ASSERT_EQ(count, static_cast<size_t>(pushed->output_count(8))) << made.text;
      std::vector<uint8_t> expected(rows * element * count);
      std::vector<uint8_t> got(expected.size());
      pushed->push(chunk.data(), 8, expected.data());
      settled->push(chunk.data(), 8, got.data());
      const auto signal = [&](const std::vector<uint8_t>& bytes) {
        Signal made_of{batch, settled->out_channels(), static_cast<int32_t>(count), std::vector<float>(rows * count)};
        widen(made.dtype, bytes.data(), made_of.values.data(), made_of.values.size());
        return made_of;
      };
      ASSERT_TRUE(are_same(signal(expected), signal(got))) << made.text << " push " << i;
    }
    ++compared;
  }
  EXPECT_GT(compared, 100);
}

}  // namespace
}  // namespace conv1d
