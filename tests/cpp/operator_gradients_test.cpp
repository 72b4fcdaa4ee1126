// What PyTorch's autograd gives for networks of one operator, on threads and with little memory.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fixture_files.h"
#include "operator_cases.h"
#include "passes/recording.h"

namespace conv1d {
namespace {

using Json = nlohmann::json;

// By the names of what they are gradients of; parameters of steps by these too.
using Gradients = std::map<std::string, std::vector<float>>;

struct GradientCase {
  OperatorCase of;
  std::vector<float> output_gradients;
  Json expected;  // where it lies, by name
};

const std::string& fixture_bytes() {
  static const std::string bytes = read_fixture("operator_gradients.bin");
  return bytes;
}

std::vector<GradientCase> gradient_cases() {
  std::map<std::string, OperatorCase> by_name;
  for (OperatorCase& own : operator_cases()) {
    const std::string name = own.name;
    by_name.emplace(name, std::move(own));
  }
  std::vector<GradientCase> cases;
  for (const auto& item : Json::parse(read_fixture("operator_gradients.json"))) {
    const auto& given = item.at("gradOutput");
    size_t count = 1;
    for (const size_t extent : given.at("shape")) count *= extent;
    cases.push_back({.of = by_name.at(item.at("name")),
                     .output_gradients = numbers_at<float>(fixture_bytes(), given.at("at"), count),
                     .expected = item.at("gradients")});
  }
  return cases;
}

// The names of a step's parameters, in the order of its gradients; of a recurrent one, those of direction `i`.
std::vector<std::string> names_of(const Step& step, const Json& expected, size_t i) {
  const bool is_recurrent = expected.contains("weight_ih_l0");
  if (!is_recurrent || step.layer) return {"weight", "bias"};
  const bool both = expected.contains("weight_ih_l0_reverse");
  const std::string suffix = "_l" + std::to_string(both ? i / 2 : i) + (both && i % 2 == 1 ? "_reverse" : "");
  return {"weight_ih" + suffix, "weight_hh" + suffix, "bias_ih" + suffix, "bias_hh" + suffix};
}

Gradients run_case(const GradientCase& own, int threads, bool low_memory) {
  const Signal& in = own.of.input;
  auto made = Recording::make(own.of.graph, in.batch, in.length, threads, low_memory);
  EXPECT_TRUE(made) << own.of.name;
  Recording& recording = **made;
  ThreadPool pool(threads);
  std::ranges::copy(in.values, recording.input());
  EXPECT_FALSE(recording.run({.training = false, .seed = 0}, pool)) << own.of.name;
  std::ranges::copy(own.output_gradients, recording.output_gradients());
  recording.run_backward({.input = true, .weights = true, .biases = true}, pool);
  Gradients result{{"input", {recording.input_gradients(), recording.input_gradients() + in.values.size()}}};
  size_t i = 0;
  for (const Step& step : own.of.graph.steps) {
    const float* gradients = recording.parameter_gradients(step);
    if (gradients == nullptr) continue;
    for (const std::string& name : names_of(step, own.expected, i++)) {
      if (!own.expected.contains(name)) break;  // one that the layer was made without, as are those after it
      const size_t size = own.expected.at(name).at("size");
      result[name].assign(gradients, gradients + size);
      gradients += size;
    }
  }
  return result;
}

TEST(OperatorGradientFixtures, AreWithinTheirTolerance) {
  size_t compared = 0;
  for (const GradientCase& own : gradient_cases()) {
    const Gradients got = run_case(own, 1, false);
    for (const auto& [name, place] : own.expected.items()) {
      const size_t size = place.at("size");
      const auto expected = numbers_at<double>(fixture_bytes(), place.at("expected"), size);
      const auto tolerance = numbers_at<float>(fixture_bytes(), place.at("tolerance"), size);
      ASSERT_TRUE(got.contains(name)) << own.of.name << ", " << name;
      ASSERT_EQ(got.at(name).size(), size) << own.of.name << ", " << name;
      for (size_t at = 0; at < size; ++at) {
        ASSERT_LE(std::abs(got.at(name)[at] - expected[at]), tolerance[at])
            << own.of.name << ", " << name << " at " << at;
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 400U);
}

TEST(OperatorGradientFixtures, ThreadsAndLittleMemoryChangeNoBit) {
  for (const GradientCase& own : gradient_cases()) {
    const Gradients expected = run_case(own, 1, false);
    EXPECT_EQ(run_case(own, 3, false), expected) << own.of.name;
    EXPECT_EQ(run_case(own, 3, true), expected) << own.of.name << " with little memory";
  }
}

}  // namespace
}  // namespace conv1d
