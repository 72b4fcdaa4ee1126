// PyTorch's cases of every operator, whole and in pieces.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>

#include "operator_cases.h"
#include "passes/stream.h"

namespace conv1d {
namespace {

Signal run_case(const OperatorCase& c, int threads = 1) {
  Forward forward(c.graph);
  const auto out = run_whole(forward, c.input, threads);
  EXPECT_TRUE(out) << c.name;
  return out.value_or(Signal{});
}

// Every output within its tolerance and `more`.
void expect_right(const OperatorCase& c, const Signal& got, double more = 0) {
  ASSERT_EQ(got.values.size(), c.expected.size()) << c.name;
  for (size_t i = 0; i < got.values.size(); ++i) {
    ASSERT_LE(std::abs(got.values[i] - c.expected[i]), c.tolerance[i] + more) << c.name << " at " << i;
  }
}

TEST(OperatorFixtures, AreWithinTheirTolerance) {
  const auto cases = operator_cases();
  EXPECT_GE(cases.size(), 600U);
  for (const OperatorCase& c : cases) expect_right(c, run_case(c));
}

TEST(OperatorFixtures, ThreadsChangeNoBit) {
  for (const OperatorCase& c : operator_cases()) EXPECT_TRUE(are_same(run_case(c), run_case(c, 3))) << c.name;
}

TEST(OperatorFixtures, LayersByTransformsAreWithinTheirErrors) {
  for (const auto& [algorithm, error] : {std::pair{"toom_cook", 0x1p-19}, {"fft", 0x1p-21 * std::log2(2048)}}) {
    int computed = 0;
    for (const OperatorCase& c : operator_cases(algorithm)) {
      if (c.largest_sum == 0) continue;
      expect_right(c, run_case(c), error * c.largest_sum);
      ++computed;
    }
    EXPECT_GE(computed, 30) << algorithm;
  }
}

TEST(OperatorFixtures, StreamsGiveTheBitsOfTheWhole) {
  std::mt19937 random(1);
  int refused = 0;
  for (const OperatorCase& c : operator_cases()) {
    std::unique_ptr<Stream> stream;
    const auto error = Stream::create(c.graph, c.input.batch, 11, false, &stream);
    const bool needs_all = std::ranges::any_of(
        c.graph.steps, [](const Step& step) { return step.operation && step.operation->why_not_in_streams(); });
    ASSERT_EQ(error.has_value(), needs_all) << c.name << (error ? error->message : "");
    if (error) {
      EXPECT_EQ(error->code, "ERR_UNSUPPORTED") << c.name;
      ++refused;
      continue;
    }
    std::uniform_int_distribution<int32_t> cut(1, 11);
    const Signal got = run_stream(stream, c.graph.dtype, c.input, [&] { return cut(random); });
    EXPECT_TRUE(are_same(run_case(c), got)) << c.name;
  }
  EXPECT_GE(refused, 30);
}

}  // namespace
}  // namespace conv1d
