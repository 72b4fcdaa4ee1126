// The transpose of a convolution, through every method: <f(x), g> = <x, f'(g)>, exactly, on small integers.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "methods/make_method.h"
#include "operator/padding.h"
#include "operator/weight_view.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

std::vector<float> small_integers(Random& random, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(draw(random, -4, 4));
  return values;
}

struct Problem {
  Correlation forward;
  std::vector<float> input;   // (batch, in_channels, length)
  std::vector<float> weight;  // (groups, group_out, group_in, kernel_size)
  std::vector<float> output_gradient;
};

Problem draw_problem(Random& random) {
  Problem problem;
  Correlation& c = problem.forward;
  c = {};
  c.groups = draw(random, 1, 3);
  c.in_channels = c.groups * draw(random, 1, 4);
  c.out_channels = c.groups * draw(random, 1, 8);
  c.kernel_size = draw(random, 1, draw(random, 1, 12));
  c.stride = draw(random, 1, 6);
  c.dilation = draw(random, 1, 6);
  c.batch = draw(random, 1, 2);
  c.length = draw(random, 1, 60);
  c.padding_mode = static_cast<PaddingMode>(draw(random, 0, 3));
  c.dtype = DType::kFloat32;
  const int32_t most_pad = c.padding_mode == PaddingMode::kZeros       ? 9
                           : c.padding_mode == PaddingMode::kReplicate ? 9
                           : c.padding_mode == PaddingMode::kReflect   ? c.length - 1
                                                                       : c.length;
  const int32_t left = draw(random, 0, std::min(9, most_pad));
  const int32_t right = draw(random, 0, std::min(9, most_pad));
  c.first = -left;
  c.out_length = static_cast<int32_t>((left + c.length + right - c.reach() - 1) / c.stride + 1);
  if (left + c.length + right <= c.reach()) c.out_length = 0;
  c.out_row = c.out_length;
  c.out_step = 1;
  problem.input = small_integers(random, int64_t{c.batch} * c.in_channels * c.length);
  problem.weight = small_integers(random, c.weight_size());
  problem.output_gradient = small_integers(random, int64_t{c.batch} * c.out_channels * c.out_length);
  return problem;
}

// <f(x), g> by the definition, and f'(g) beside it.
double by_definition(const Problem& problem, std::vector<double>* input_gradient) {
  const Correlation& c = problem.forward;
  input_gradient->assign(problem.input.size(), 0);
  double product = 0;
  const float* g = problem.output_gradient.data();
  for (int32_t row = 0; row < c.batch * c.out_channels; ++row) {
    const int32_t image = row / c.out_channels;
    const int32_t oc = row % c.out_channels;
    for (int32_t t = 0; t < c.out_length; ++t, ++g) {
      for (int32_t i = 0; i < c.group_in() * c.kernel_size; ++i) {
        const int32_t channel = oc / c.group_out() * c.group_in() + i / c.kernel_size;
        const int64_t position = c.first + int64_t{t} * c.stride + int64_t{i % c.kernel_size} * c.dilation;
        const int64_t source = source_index(c.padding_mode, position, c.length);
        if (source < 0) continue;
        const size_t row = static_cast<size_t>(image) * c.in_channels + channel;
        const size_t at = row * c.length + static_cast<size_t>(source);
        const double w = problem.weight[static_cast<size_t>(oc) * c.group_in() * c.kernel_size + i];
        product += w * problem.input[at] * *g;
        (*input_gradient)[at] += w * *g;
      }
    }
  }
  return product;
}

// f'(g) by a method; empty where it cannot compute one of the phases.
std::vector<float> by_method(const Problem& problem, Algorithm algorithm, int threads) {
  const Correlation& c = problem.forward;
  const int64_t begin = c.first;
  const int64_t end = c.length + c.after();
  const auto row_floats = static_cast<size_t>(end - begin);
  std::vector<float> padded(static_cast<size_t>(c.batch) * c.in_channels * row_floats, 0.0F);
  const std::vector<float> no_bias(static_cast<size_t>(c.in_channels), 0.0F);
  const WeightView forward_view = view_of(c, DType::kFloat32, problem.weight.data());
  for (int32_t phase = 0; phase < c.phases(); ++phase) {
    const auto transposed = transposed_of(c, phase, begin, end);
    if (!transposed) continue;
    const Correlation& t = transposed->correlation;
    if (algorithm == Algorithm::kToomCook && !t.has_toom_cook()) return {};
    PackedForms forms;
    EXPECT_TRUE(forms.reserve_panels(t));
    auto method = make_method(algorithm, true, t, {}, &forms, threads);
    EXPECT_TRUE(method) << method.error().message;
    (*method)->pack({.view = transposed_view(forward_view, c, *transposed), .bias = no_bias.data(), .forms = &forms});
    std::vector<float> scratch((*method)->scratch_floats());
    float* first = padded.data() + transposed->begin;
    // The pieces in any order.
    for (int32_t piece = (*method)->pieces(); piece-- > 0;) {
      (*method)->run(piece, piece + 1, problem.output_gradient.data(), first, scratch.data());
    }
  }
  std::vector<float> gradient(problem.input.size(), 0.0F);
  for (size_t row = 0; row < static_cast<size_t>(c.batch) * c.in_channels; ++row) {
    fold_window(c.padding_mode, padded.data() + row * row_floats, begin, static_cast<int64_t>(row_floats), c.length,
                gradient.data() + row * static_cast<size_t>(c.length));
  }
  return gradient;
}

TEST(Transposed, IsTheAdjointThroughEveryMethod) {
  Random random(1);
  std::map<std::pair<Algorithm, PaddingMode>, int> compared;
  for (int trial = 0; trial < 1500; ++trial) {
    const Problem problem = draw_problem(random);
    const Correlation& c = problem.forward;
    if (c.out_length < 1) continue;
    std::vector<double> expected;
    const double product = by_definition(problem, &expected);
    for (const Algorithm algorithm : {Algorithm::kDirect, Algorithm::kToomCook, Algorithm::kFft}) {
      const auto got = by_method(problem, algorithm, draw(random, 1, 3));
      if (got.empty()) continue;
      ++compared[{algorithm, c.padding_mode}];
      double own_product = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        // Transforms round; what they round to are whole numbers.
        const double rounded = algorithm == Algorithm::kDirect ? got[i] : std::round(got[i]);
        ASSERT_NEAR(got[i], rounded, 0.05) << "trial " << trial;
        ASSERT_EQ(rounded, expected[i]) << "trial " << trial << ", " << algorithm_name(algorithm) << ", element " << i;
        own_product += rounded * problem.input[i];
      }
      ASSERT_EQ(own_product, product) << "trial " << trial << ", " << algorithm_name(algorithm);
    }
  }
  EXPECT_EQ(compared.size(), 12U);
  for (const auto& [what, count] : compared) EXPECT_GT(count, 40) << algorithm_name(what.first);
}

}  // namespace
}  // namespace conv1d
