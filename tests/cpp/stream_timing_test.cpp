// When a stream gives which output: held to what each output depends on, found sample by sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "operator/padding.h"
#include "passes/stream.h"
#include "steps.h"
#include "test_layer.h"

namespace conv1d {
namespace {

// The first and the last input sample that something depends on; `latest` < `earliest` where it depends on none.
struct Span {
  int64_t earliest = int64_t{1} << 40;
  int64_t latest = -1;

  void add(const Span& other) {
    earliest = std::min(earliest, other.earliest);
    latest = std::max(latest, other.latest);
  }
};

// Of sample t of value `v` of a network, in a signal without an end.
// NOLINTNEXTLINE(misc-no-recursion): networks are shallow here
Span span_of(const std::vector<Step>& steps, int32_t v, int64_t t) {
  if (v == 0) return {t, t};
  const Step& step = steps[static_cast<size_t>(v) - 1];
  Span span;
  if (!step.layer) {
    span = span_of(steps, step.operands.front(), t);
    for (const int32_t operand : step.operands) span.add(span_of(steps, operand, t));
    return span;
  }
  const Params& p = step.layer->params();
  for (int32_t k = 0; k < p.kernel_size; ++k) {
    const int64_t position = t * p.stride + int64_t{k} * p.dilation - p.pad_left;
    const int64_t at = source_index(p.padding_mode, position, int64_t{1} << 40);
    if (at >= 0) span.add(span_of(steps, step.input(), at));
  }
  return span;
}

struct Network {
  std::string what;
  std::vector<Step> steps;
};

Step conv(int32_t input, double taps, double stride, double dilation, double pad_left, const char* mode = "zeros") {
  Options o = layer_options(1, 1, taps);
  o.stride = stride;
  o.dilation = dilation;
  o.pad_left = pad_left;
  o.pad_right = std::max(0.0, (taps - 1) * dilation - pad_left);  // as many outputs as samples, where that can be
  o.padding_mode = mode;
  return layer_step(input, TestLayer(o, 1).share());
}

Step sum(int32_t a, int32_t b) { return pair_step(a, b, "add", 1); }

std::vector<Network> networks() {
  std::vector<Network> result = {
      {"a residual block", {conv(0, 3, 1, 2, 4), conv(1, 3, 1, 4, 8), sum(2, 0)}},
      {"a sum with its operand shifted", {conv(0, 5, 1, 1, 2), sum(1, 0)}},
      {"two strides", {conv(0, 4, 2, 1, 1), conv(1, 3, 3, 1, 0)}},
      {"a stride, then a sum", {conv(0, 4, 2, 1, 3), conv(1, 3, 1, 1, 1), sum(2, 1)}},
      {"reflection after reflection", {conv(0, 5, 1, 1, 4, "reflect"), conv(1, 3, 1, 1, 2, "reflect")}},
  };
  std::mt19937 random(1);
  const auto draw = [&](int32_t least, int32_t most) {
    return std::uniform_int_distribution<int32_t>(least, most)(random);
  };
  const char* modes[] = {"zeros", "reflect", "replicate"};
  for (int i = 0; i < 300; ++i) {
    const int32_t taps = draw(1, 6);
    const int32_t stride = draw(1, 4);
    const int32_t dilation = draw(1, 5);
    const int32_t pad_left = draw(0, 12);
    const char* mode = modes[draw(0, 2)];
    result.push_back({std::to_string(taps) + " taps, stride " + std::to_string(stride) + ", dilation " +
                          std::to_string(dilation) + ", " + std::to_string(pad_left) + " " + mode + " to the left",
                      {conv(0, taps, stride, dilation, pad_left, mode)}});
  }
  return result;
}

std::unique_ptr<Stream> stream_of(const Network& network, int32_t max_chunk) {
  std::unique_ptr<Stream> stream;
  const auto error = Stream::create({network.steps, DType::kFloat32, 1}, 1, max_chunk, true, &stream);
  EXPECT_FALSE(error) << network.what << ": " << error->message;
  return stream;
}

// Far from the start, where no padding is met.
TEST(StreamTiming, LatencyAndReceptiveFieldAreThoseOfEachOutput) {
  for (const Network& network : networks()) {
    const auto stream = stream_of(network, 8);
    ASSERT_TRUE(stream);
    int64_t stride = 1;
    for (const Step& step : network.steps) stride *= step.layer ? step.layer->params().stride : 1;
    const int64_t t = 1000;
    const Span span = span_of(network.steps, static_cast<int32_t>(network.steps.size()), t);
    EXPECT_EQ(stream->latency(), span.latest - t * stride) << network.what;
    EXPECT_EQ(stream->receptive_field(), span.latest - span.earliest + 1) << network.what;
  }
}

// As soon as the last sample that it depends on is there, and no sooner.
TEST(StreamTiming, EachPushGivesTheOutputsThatItDetermines) {
  std::mt19937 random(2);
  for (const Network& network : networks()) {
    for (const int32_t max_chunk : {1, 7}) {
      const auto stream = stream_of(network, max_chunk);
      ASSERT_TRUE(stream);
      const std::vector<float> chunk(static_cast<size_t>(max_chunk), 1);
      int64_t given = 0;
      for (int64_t samples = 0; samples < 60;) {
        const int32_t count = std::uniform_int_distribution<int32_t>(1, max_chunk)(random);
        samples += count;
        int64_t known = given;
        while (span_of(network.steps, static_cast<int32_t>(network.steps.size()), known).latest < samples) ++known;
        const int32_t outputs = stream->output_count(count);
        ASSERT_EQ(outputs, known - given) << network.what << ", after " << samples << " samples";
        std::vector<float> output(static_cast<size_t>(outputs));
        stream->push(chunk.data(), count, output.data());
        given = known;
      }
    }
  }
}

}  // namespace
}  // namespace conv1d
