// Deep networks of branches that come at different times and meet again: a stream gives the bits of the whole signal.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "operations/recurrent.h"
#include "passes/stream.h"
#include "test_graph.h"

namespace conv1d {
namespace {

using Numbers = std::vector<double>;

// A network that is being drawn. Values of the same pace have the same length, whatever the input's is.
class Drawing {
 public:
  Drawing(uint32_t seed, DType dtype) : random_(seed), graph_{{}, dtype, draw(1, 4)}, length_(draw(20, 70)) {
    paces_ = {0};
    lengths_ = {length_};
  }

  int32_t draw(int32_t least, int32_t most) { return std::uniform_int_distribution<int32_t>(least, most)(random_); }
  bool toss() { return draw(0, 1) == 1; }
  template <class T, size_t kCount>
  T pick(const std::array<T, kCount>& items) {
    return items[static_cast<size_t>(draw(0, static_cast<int32_t>(kCount) - 1))];
  }
  Numbers numbers(int32_t count) {
    Numbers result;
    for (int32_t i = 0; i < count; ++i) result.push_back(draw(1, 32) / 16.0 * (toss() ? 1 : -1));
    return result;
  }
  double parameter() { return numbers(1)[0]; }

  int32_t last() const { return static_cast<int32_t>(graph_.steps.size()); }
  int32_t channels(int32_t value) const { return graph_.channels(value); }
  int64_t length(int32_t value) const { return lengths_[static_cast<size_t>(value)]; }
  const Graph& graph() const { return graph_; }
  Signal input(uint32_t seed) const {
    Signal in = random_signal(batch_, graph_.in_channels, length_, seed);
    if (graph_.dtype == DType::kFloat16) round_to_halves(in.values.data(), in.values.size());
    return in;
  }

  // One of the latest values, the last one more often than not.
  int32_t some_value() { return toss() ? last() : draw(std::max(0, last() - 12), last()); }
  int32_t companion(int32_t value) {
    std::vector<int32_t> all;
    for (int32_t other = 0; other <= last(); ++other) {
      if (paces_[static_cast<size_t>(other)] == paces_[static_cast<size_t>(value)]) all.push_back(other);
    }
    return all[static_cast<size_t>(draw(0, static_cast<int32_t>(all.size()) - 1))];
  }

  // The new value. Its pace is that of `like`, or its own.
  int32_t append(Step step, int32_t like = -1) {
    const int32_t operand = step.operands[0];
    lengths_.push_back(like >= 0 ? length(like) : length_after(step, length(operand)));
    paces_.push_back(like >= 0 ? paces_[static_cast<size_t>(like)] : ++latest_pace_);
    graph_.steps.push_back(std::move(step));
    return last();
  }
  int32_t operation(std::vector<int32_t> operands, const char* kind, const Numbers& numbers = {}, int32_t like = -1) {
    std::vector<int32_t> all;
    all.reserve(operands.size());
    for (const int32_t operand : operands) all.push_back(channels(operand));
    return append(operation_step(std::move(operands), kind, all, numbers), like);
  }
  int32_t convolve(int32_t value, Options o, int32_t like = -1) {
    o.in_channels = channels(value);
    o.dtype = graph_.dtype == DType::kFloat16 ? "float16" : "float32";
    o.bias = toss();
    if (draw(0, 3) == 0) o.activation = "tanh";
    return append(layer_step(value, TestLayer(o, static_cast<uint32_t>(draw(1, 1 << 20))).share()), like);
  }
  int32_t mix(int32_t value, int32_t out_channels) { return convolve(value, layer_options(0, out_channels, 1), value); }
  int32_t even(int32_t value) { return channels(value) % 2 == 0 ? value : mix(value, channels(value) + 1); }
  int32_t recurrent(int32_t value, Recurrent::Cell cell) {
    auto made = Recurrent::make(cell, channels(value), draw(1, 6));
    const auto weights = random_values((*made)->weight_count(), static_cast<uint32_t>(draw(1, 1 << 20)));
    std::ranges::copy(weights, (*made)->weights());
    (*made)->changed();
    return append({{value}, nullptr, *made}, value);
  }

  static int64_t length_after(const Step& step, int64_t length) {
    if (step.operation) return step.operation->length(length);
    Geometry geometry{};
    return resolve(step.layer->params(), 1, static_cast<double>(length), &geometry) ? 0 : geometry.out_length;
  }

 private:
  std::mt19937 random_;
  Graph graph_;
  int32_t length_;
  int32_t batch_ = draw(1, 2);
  int32_t latest_pace_ = 0;
  std::vector<int32_t> paces_;
  std::vector<int64_t> lengths_;
};

Options strided(double out_channels, double kernel_size, double stride) {
  Options o = layer_options(0, out_channels, kernel_size);
  o.stride = stride;
  return o;
}

Options transposed(double out_channels, double kernel_size, double stride) {
  Options o = strided(out_channels, kernel_size, stride);
  o.transposed = true;
  return o;
}

// Appends steps whose last has the pace of value `v`.
using Append = void (*)(Drawing& d, int32_t v);
const std::map<std::string, Append> kKeeping = {
    {"layer",
     [](Drawing& d, int32_t v) {
       Options o = layer_options(0, d.draw(1, 6), d.draw(1, 5));
       o.dilation = d.draw(1, 6);
       o.padding_rule = d.toss() ? "same" : "causal";
       d.convolve(v, o, v);
     }},
    {"a transposed layer",
     [](Drawing& d, int32_t v) {
       Options o = transposed(d.draw(1, 6), 2 * d.draw(0, 3) + 1, 1);
       o.pad_left = o.pad_right = (o.kernel_size - 1) / 2;
       d.convolve(v, o, v);
     }},
    {"up and down by layers",
     [](Drawing& d, int32_t v) {
       const int32_t stride = d.draw(2, 5);
       Options o = transposed(d.draw(1, 4), 2 * stride, stride);
       o.pad_left = o.pad_right = (stride + 1) / 2;  // NOLINT(bugprone-integer-division)
       o.output_padding = stride % 2;
       d.convolve(d.convolve(v, o), strided(d.draw(1, 5), stride, stride), v);
     }},
    {"up and down",
     [](Drawing& d, int32_t v) {
       const double factor = d.draw(2, 4);
       const int32_t bent =
           d.operation({d.operation({v}, "upsample", {factor, double(d.draw(0, 1))})}, "activation", {7});
       d.operation({bent}, d.toss() ? "maxPool" : "averagePool", {factor, factor, 0, 1, 0, 1}, v);
     }},
    {"maxPool", [](Drawing& d, int32_t v) { d.operation({v}, "maxPool", {5, 1, 2, 1, 0, 1}, v); }},
    {"averagePool",
     [](Drawing& d, int32_t v) { d.operation({v}, "averagePool", {3, 1, 1, 1, 0, double(d.draw(0, 1))}, v); }},
    {"delay",
     [](Drawing& d, int32_t v) {
       const double left = d.draw(0, 9);
       const double right = d.draw(0, 9);
       d.operation({d.operation({v}, "pad", {left, right, 0})}, "pad", {-right, -left, 0}, v);
     }},
    {"activation",
     [](Drawing& d, int32_t v) {
       const int32_t index = d.draw(0, static_cast<int32_t>(std::size(kActivations)) - 1);
       Numbers all = {double(index)};
       const ActivationEntry& entry = kActivations[index];
       for (size_t i = 0; i < entry.parameter_count(); ++i) all.push_back(entry.parameters[i].initial);
       d.operation({v}, "activation", all, v);
     }},
    {"gate", [](Drawing& d, int32_t v) { d.operation({d.even(v)}, "gate", {}, v); }},
    {"glu", [](Drawing& d, int32_t v) { d.operation({d.even(v)}, "glu", {}, v); }},
    {"magnitude", [](Drawing& d, int32_t v) { d.operation({d.even(v)}, "magnitude", {}, v); }},
    {"a pair",
     [](Drawing& d, int32_t v) {
       int32_t other = d.companion(v);
       if (d.channels(other) != d.channels(v)) other = d.mix(other, d.channels(v));
       d.operation({v, other}, d.pick(std::array{"add", "subtract", "multiply", "divide"}), {}, v);
     }},
    {"a constant",
     [](Drawing& d, int32_t v) {
       const char* kind = d.pick(std::array{"add", "subtract", "multiply", "divide"});
       d.operation({v}, kind, d.numbers(d.toss() ? 1 : d.channels(v)), v);
     }},
    {"affine", [](Drawing& d, int32_t v) { d.operation({v}, "affine", d.numbers(2 * d.channels(v)), v); }},
    {"concat", [](Drawing& d, int32_t v) { d.operation({v, d.companion(v), d.companion(v)}, "concat", {}, v); }},
    {"slice",
     [](Drawing& d, int32_t v) {
       const int32_t begin = d.draw(0, d.channels(v) - 1);
       const int32_t step = d.draw(1, 3);
       const int32_t count = d.draw(1, (d.channels(v) - begin + step - 1) / step);
       d.operation({v}, "slice", {double(begin), double(count), double(step)}, v);
     }},
    {"softmax", [](Drawing& d, int32_t v) { d.operation({v}, d.toss() ? "softmax" : "logSoftmax", {}, v); }},
    {"layerNorm",
     [](Drawing& d, int32_t v) {
       Numbers all = d.numbers(2 * d.channels(v));
       all.insert(all.begin(), 0.01);
       d.operation({v}, "layerNorm", all, v);
     }},
    {"lstm", [](Drawing& d, int32_t v) { d.recurrent(v, Recurrent::Cell::kLstm); }},
    {"gru", [](Drawing& d, int32_t v) { d.recurrent(v, Recurrent::Cell::kGru); }},
    {"a function",
     [](Drawing& d, int32_t v) {
       d.operation({v}, d.pick(std::array{"square", "sqrt", "abs", "exp", "log"}), {}, v);
       d.operation({d.last()}, "clip", {-3, 4}, v);
     }},
};

// Appends one step of another pace.
const std::map<std::string, Append> kChanging = {
    {"a strided layer",
     [](Drawing& d, int32_t v) { d.convolve(v, strided(d.draw(1, 5), d.draw(1, 4), d.draw(1, 3))); }},
    {"a longer transposed layer",
     [](Drawing& d, int32_t v) {
       Options o = transposed(d.draw(1, 5), d.draw(1, 5), d.draw(1, 4));
       o.dilation = d.draw(1, 3);
       o.pad_left = o.pad_right = std::min(d.draw(0, 3), static_cast<int32_t>(o.dilation * (o.kernel_size - 1) / 2));
       o.output_padding = d.draw(0, static_cast<int32_t>(std::max(o.stride, o.dilation)) - 1);
       d.convolve(v, o);
     }},
    {"upsample",
     [](Drawing& d, int32_t v) { d.operation({v}, "upsample", {double(d.draw(2, 4)), double(d.draw(0, 1))}); }},
    {"pool",
     [](Drawing& d, int32_t v) {
       const int32_t taps = d.draw(1, 4);
       const int32_t padding = d.draw(0, taps / 2);
       const bool max = d.toss();
       d.operation({v}, max ? "maxPool" : "averagePool",
                   {double(taps), double(d.draw(1, 4)), double(padding), max ? double(d.draw(1, 2)) : 1,
                    double(d.draw(0, 1)), double(d.draw(0, 1))});
     }},
    {"pad",
     [](Drawing& d, int32_t v) { d.operation({v}, "pad", {double(d.draw(-3, 6)), double(d.draw(-3, 6)), 0.5}); }},
};

const std::map<std::string, Append> kAtEnd = {
    {"globalMaxPool", [](Drawing& d, int32_t v) { d.operation({v}, "globalMaxPool"); }},
    {"globalAveragePool", [](Drawing& d, int32_t v) { d.operation({v}, "globalAveragePool"); }},
};

// Draws one of them; false where it leaves too little of the signal.
bool append_one(Drawing& d, const std::map<std::string, Append>& from, std::map<std::string, int>* drawn) {
  auto at = from.begin();
  std::advance(at, d.draw(0, static_cast<int32_t>(from.size()) - 1));
  at->second(d, d.some_value());
  ++(*drawn)[at->first];
  return d.length(d.last()) > 0 && d.length(d.last()) * d.channels(d.last()) < 20000;
}

bool draw_network(Drawing& d, std::map<std::string, int>* drawn) {
  for (int32_t count = d.draw(3, 14); count > 0; --count) {
    if (!append_one(d, d.draw(0, 4) == 0 ? kChanging : kKeeping, drawn)) return false;
  }
  return d.draw(0, 9) > 0 || append_one(d, kAtEnd, drawn);
}

constexpr uint32_t kNetworks = 600;

TEST(Branches, MeetInTheSameBitsHoweverTheSignalIsCut) {
  std::map<std::string, int> drawn;
  int checked = 0;
  // 0 without --gtest_shuffle, which comes with a seed
  const auto first = 1 + kNetworks * static_cast<uint32_t>(testing::UnitTest::GetInstance()->random_seed());
  for (uint32_t seed = first; seed < first + kNetworks; ++seed) {
    Drawing d(seed, seed % 4 == 0 ? DType::kFloat16 : DType::kFloat32);
    if (!draw_network(d, &drawn)) continue;
    const std::string what = "network " + std::to_string(seed);
    const Signal in = d.input(seed);
    Forward forward(d.graph());
    const auto whole = run_whole(forward, in);
    ASSERT_TRUE(whole) << what;
    ASSERT_EQ(whole->length, d.length(d.last())) << what;
    ASSERT_TRUE(are_same(*whole, *run_whole(forward, in, 3, d.draw(1, 5)))) << what + " on threads";
    ASSERT_TRUE(are_same(*whole, *run_whole(d.graph().steps, d.graph().dtype, in))) << what + " step by step";

    const int32_t longest = d.draw(1, 40);
    std::unique_ptr<Stream> stream;
    const auto error = Stream::create(d.graph(), in.batch, longest, false, &stream);
    ASSERT_FALSE(error) << what << ": " << error->message;
    const auto cut = [&] { return d.draw(1, longest); };
    ASSERT_TRUE(are_same(*whole, run_stream(stream, d.graph().dtype, in, cut))) << what + " as a stream";
    stream->reset();
    // Another stream goes on from this one's state, again and again.
    const auto cut_and_swap = [&] {
      if (d.draw(0, 2) == 0) {
        std::unique_ptr<Stream> other;
        EXPECT_FALSE(stream->clone(&other));
        stream = std::move(other);
      }
      return d.draw(1, longest);
    };
    ASSERT_TRUE(are_same(*whole, run_stream(stream, d.graph().dtype, in, cut_and_swap)))
        << what + " as clones of streams";
    ++checked;
  }
  EXPECT_GE(checked, 500);
  for (const auto* all : {&kKeeping, &kChanging, &kAtEnd}) {
    for (const auto& [name, append] : *all) EXPECT_GE(drawn[name], 5) << name;
  }
}

}  // namespace
}  // namespace conv1d
