// The gradients of layers: on small integers exactly what the definition gives, with any number of threads.
#include "passes/layer_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "operator/padding.h"
#include "test_layer.h"

namespace conv1d {
namespace {

using Random = std::mt19937;

int32_t draw(Random& random, int32_t least, int32_t most) {
  return std::uniform_int_distribution<int32_t>(least, most)(random);
}

std::vector<float> small_integers(Random& random, size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(draw(random, -4, 4));
  return values;
}

struct Gradients {
  std::vector<float> input;
  std::vector<float> weight;
  std::vector<float> bias;
  bool operator==(const Gradients&) const = default;
};

struct Problem {
  std::shared_ptr<Layer> layer;
  Geometry geometry;
  std::vector<float> input;
  std::vector<float> sum_gradients;

  const Params& params() const { return layer->params(); }
};

// With weights, an input and gradients of small integers; without a layer where the options give no output.
Problem make_problem(Random& random, const Options& options, int32_t batch, int32_t length) {
  Params params{};
  if (validate(options, &params)) return {};
  Geometry geometry{};
  if (resolve(params, batch, length, &geometry)) return {};
  Problem problem{std::make_shared<Layer>(params), geometry, {}, {}};
  EXPECT_TRUE(problem.layer->allocate());
  const auto weight = small_integers(random, static_cast<size_t>(params.weight_size()));
  if (params.dtype == DType::kFloat32) {
    std::ranges::copy(weight, static_cast<float*>(problem.layer->weight()));
  } else {
    floats_to_halves(weight.data(), static_cast<uint16_t*>(problem.layer->weight()), weight.size());
  }
  problem.layer->changed();
  problem.input = small_integers(random, static_cast<size_t>(batch) * params.in_channels * length);
  problem.sum_gradients =
      small_integers(random, static_cast<size_t>(batch) * params.out_channels * geometry.out_length);
  return problem;
}

Problem draw_problem(Random& random) {
  Options o;
  o.groups = draw(random, 1, 3);
  const bool depthwise = draw(random, 0, 4) == 0;
  o.in_channels = o.groups * (depthwise ? 1 : draw(random, 1, 7));
  o.out_channels = o.groups * draw(random, 1, depthwise ? 2 : 14);
  o.kernel_size = draw(random, 1, draw(random, 1, 12));
  o.stride = draw(random, 1, draw(random, 1, 6));
  o.dilation = draw(random, 1, draw(random, 1, 6));
  o.transposed = draw(random, 0, 3) == 0;
  static const std::array modes{"zeros", "reflect", "replicate", "circular"};
  static const std::array rules{"explicit", "explicit", "explicit", "same", "causal", "valid"};
  static const std::array algorithms{"auto", "direct", "fft", "toom_cook"};
  if (o.transposed) {
    o.output_padding = draw(random, 0, static_cast<int32_t>(std::max(o.stride, o.dilation)) - 1);
  } else {
    o.padding_mode = modes[draw(random, 0, 3)];
    o.padding_rule = rules[draw(random, 0, 5)];
  }
  if (o.padding_rule == "explicit") {
    o.pad_left = draw(random, 0, 9);
    o.pad_right = draw(random, 0, 9);
  }
  o.algorithm = algorithms[draw(random, 0, 3)];
  if (draw(random, 0, 3) == 0) o.dtype = "float16";
  const int32_t length = draw(random, 0, 5) == 0 ? draw(random, 100, 1500) : draw(random, 1, 60);
  return make_problem(random, o, draw(random, 0, 8) == 0 ? draw(random, 0, 70) : draw(random, 1, 3), length);
}

// Calls f(output, input, weight) for each product of the layer, with their indices in arrays.
template <class F>
void for_each_product(const Problem& problem, const F& f) {
  const Params& p = problem.params();
  const Geometry& g = problem.geometry;
  // Of a transposed layer the roles are exchanged: input t meets output t * stride + k * dilation - pad_left.
  const int32_t windows = p.transposed ? g.length : g.out_length;
  const int32_t positions = p.transposed ? g.out_length : g.length;
  for (int32_t n = 0; n < g.batch; ++n) {
    for (int32_t o = 0; o < p.out_channels; ++o) {
      const int32_t group = o / p.group_out();
      for (int32_t c = group * p.group_in(); c < (group + 1) * p.group_in(); ++c) {
        for (int32_t k = 0; k < p.kernel_size; ++k) {
          const int64_t row = p.transposed ? int64_t{c} * p.group_out() + o % p.group_out()
                                           : int64_t{o} * p.group_in() + c % p.group_in();
          for (int32_t t = 0; t < windows; ++t) {
            const int64_t at =
                source_index(p.padding_mode, int64_t{t} * p.stride + int64_t{k} * p.dilation - g.pad_left, positions);
            if (at < 0) continue;
            const int64_t output = (int64_t{n} * p.out_channels + o) * g.out_length + (p.transposed ? at : t);
            const int64_t input = (int64_t{n} * p.in_channels + c) * g.length + (p.transposed ? t : at);
            f(static_cast<size_t>(output), static_cast<size_t>(input), static_cast<size_t>(row * p.kernel_size + k));
          }
        }
      }
    }
  }
}

Gradients empty_gradients(const Problem& problem, float value) {
  const auto of = [&](size_t count) { return std::vector<float>(count, value); };
  return {of(problem.input.size()), of(static_cast<size_t>(problem.params().weight_size())),
          of(static_cast<size_t>(problem.params().out_channels))};
}

Gradients by_definition(const Problem& problem) {
  const Params& p = problem.params();
  Gradients gradients = empty_gradients(problem, 0);
  for_each_product(problem, [&](size_t output, size_t input, size_t weight) {
    const float g = problem.sum_gradients[output];
    gradients.input[input] += g * element(p.dtype, problem.layer->weight(), static_cast<int64_t>(weight));
    gradients.weight[weight] += g * problem.input[input];
  });
  for (size_t i = 0; i < problem.sum_gradients.size(); ++i) {
    gradients.bias[i / static_cast<size_t>(problem.geometry.out_length) % gradients.bias.size()] +=
        problem.sum_gradients[i];
  }
  return gradients;
}

std::unique_ptr<LayerGradient> make_gradient(const Problem& problem, const LayerGradient::Needs& needs, int threads) {
  auto made = LayerGradient::make(problem.layer, problem.geometry, needs, threads);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

Gradients run(const Problem& problem, LayerGradient* gradient, int threads) {
  ThreadPool pool(threads);
  Gradients result = empty_gradients(problem, std::nanf(""));  // all of it is to be overwritten
  gradient->run({.input = problem.input.data(),
                 .sum_gradients = problem.sum_gradients.data(),
                 .input_gradients = result.input.data(),
                 .weight_gradients = result.weight.data(),
                 .bias_gradients = result.bias.data()},
                pool);
  return result;
}

Gradients run(const Problem& problem, int threads) {
  const auto gradient = make_gradient(problem, {.input = true, .weight = true, .bias = true}, threads);
  return run(problem, gradient.get(), threads);
}

std::string name_of(const Problem& problem) {
  const Params& p = problem.params();
  const Geometry& g = problem.geometry;
  return std::string(p.transposed ? "transposed " : "") + algorithm_name(p.algorithm) + " " +
         std::to_string(p.in_channels) + " -> " + std::to_string(p.out_channels) + ", kernel " +
         std::to_string(p.kernel_size) + ", stride " + std::to_string(p.stride) + ", dilation " +
         std::to_string(p.dilation) + ", groups " + std::to_string(p.groups) + ", mode " +
         std::to_string(static_cast<int>(p.padding_mode)) + ", pads " + std::to_string(g.pad_left) + " " +
         std::to_string(g.pad_right) + ", batch " + std::to_string(g.batch) + ", length " + std::to_string(g.length);
}

// Transforms round; what they round to are whole numbers.
void round_all(std::vector<float>* values) {
  for (float& value : *values) {
    const float whole = std::round(value) + 0.0F;
    ASSERT_NEAR(value, whole, 0.1);
    value = whole;
  }
}

void expect_definition(const Problem& problem, Gradients got) {
  if (problem.params().algorithm != Algorithm::kDirect) {
    round_all(&got.input);
    round_all(&got.weight);
  }
  const Gradients expected = by_definition(problem);
  EXPECT_EQ(got.input, expected.input) << name_of(problem);
  EXPECT_EQ(got.weight, expected.weight) << name_of(problem);
  EXPECT_EQ(got.bias, expected.bias) << name_of(problem);
}

TEST(LayerGradient, IsTheDefinitionOnSmallIntegers) {
  Random random(3);
  std::map<std::pair<bool, PaddingMode>, int> compared;
  for (int trial = 0; trial < 1200 && !HasFailure(); ++trial) {
    const Problem problem = draw_problem(random);
    if (!problem.layer) continue;
    ++compared[{problem.params().transposed, problem.params().padding_mode}];
    expect_definition(problem, run(problem, draw(random, 1, 3)));
  }
  EXPECT_EQ(compared.size(), 5U);
  for (const auto& [what, count] : compared) EXPECT_GT(count, 60);
}

// Shapes that are cut in every way: blocks, chunks, parts of the channels, several images at once, windows for taps.
TEST(LayerGradient, IsTheDefinitionForLargeShapes) {
  Random random(4);
  struct Shape {
    int32_t in, out, kernel, stride, dilation, groups, batch, length;
  };
  for (const Shape& s :
       {Shape{1, 64, 3, 1, 1, 1, 1, 8192}, Shape{16, 16, 5, 1, 2, 1, 2, 5000}, Shape{48, 48, 9, 1, 1, 48, 2, 3000},
        Shape{96, 40, 3, 2, 1, 1, 1, 900}, Shape{130, 9, 1, 1, 1, 1, 40, 1}, Shape{6, 7, 300, 1, 1, 1, 1, 1200},
        Shape{3, 5, 4, 1, 900, 1, 1, 4000}, Shape{3, 5, 4, 7, 900, 1, 1, 4000}, Shape{64, 64, 3, 1, 1, 2, 33, 60},
        Shape{3, 5, 1, 1, 1, 1, 4, 128}, Shape{3, 5, 1, 1, 1, 1, 4, 127}}) {
    Options o = layer_options(s.in, s.out, s.kernel);
    o.stride = s.stride;
    o.dilation = s.dilation;
    o.groups = s.groups;
    o.pad_left = s.kernel > 1 ? 4 : 0;
    o.pad_right = s.kernel > 1 ? 3 : 0;
    const Problem problem = make_problem(random, o, s.batch, s.length);
    ASSERT_TRUE(problem.layer);
    expect_definition(problem, run(problem, 2));
  }
}

// Where a sample stands out, FFT leaves its channels to the definition; NaN is then where it belongs.
TEST(LayerGradient, OfLongKernelsAreExactWhereSamplesStandOut) {
  const auto weight_by = [&](const char* algorithm, float outlier, bool in_gradient) {
    Random same(9);
    Options o = layer_options(2, 3, 200);
    o.algorithm = algorithm;
    o.pad_left = 199;
    Problem problem = make_problem(same, o, 2, 3000);
    problem.input = random_values(problem.input.size(), 10);
    problem.sum_gradients = random_values(problem.sum_gradients.size(), 11);
    // Only the last fifty taps meet that sample of the input, and the last hundred that gradient beside padding.
    if (outlier != 0) (in_gradient ? problem.sum_gradients[99] : problem.input[2949]) = outlier;
    return run(problem, 1).weight;
  };
  const auto direct = weight_by("direct", 0, false);
  const auto fft = weight_by("fft", 0, false);
  EXPECT_NE(fft, direct);
  EXPECT_EQ(weight_by("auto", 0, false), fft);
  for (size_t i = 0; i < fft.size(); ++i) ASSERT_NEAR(fft[i], direct[i], 1e-3) << i;
  for (const bool in_gradient : {false, true}) {
    for (const float outlier : {1e9F, INFINITY, std::nanf("")}) {
      const auto expected = weight_by("direct", outlier, in_gradient);
      const auto got = weight_by("fft", outlier, in_gradient);
      for (size_t i = 0; i < got.size(); ++i) {
        if (std::isfinite(expected[i])) {
          ASSERT_NEAR(got[i], expected[i], 1e-3 + std::abs(expected[i]) * 1e-5) << i;
        } else {
          ASSERT_FALSE(std::isfinite(got[i])) << i;
        }
      }
    }
  }
}

TEST(LayerGradient, HasTheSameBitsOnAnyNumberOfThreads) {
  Random random(5);
  for (int trial = 0; trial < 60; ++trial) {
    Problem problem = draw_problem(random);
    if (!problem.layer) continue;
    problem.input = random_values(problem.input.size(), random());
    problem.sum_gradients = random_values(problem.sum_gradients.size(), random());
    const Gradients one = run(problem, 1);
    EXPECT_EQ(run(problem, 2), one) << name_of(problem);
    EXPECT_EQ(run(problem, 3), one) << name_of(problem);
  }
}

TEST(LayerGradient, ComputesWhatIsNeededAlone) {
  Random random(6);
  const Problem problem = make_problem(random, layer_options(5, 7, 3), 2, 40);
  const Gradients all = run(problem, 1);
  const Gradients nothing = empty_gradients(problem, 9);
  const auto ready = make_gradient(problem, {.input = true, .weight = true, .bias = true}, 1);
  const auto partly = [&](const LayerGradient::Needs& needs) {
    const auto run_partly = [&](LayerGradient* gradient) {
      Gradients result = nothing;
      ThreadPool pool(1);
      gradient->run({.input = needs.weight ? problem.input.data() : nullptr,
                     .sum_gradients = problem.sum_gradients.data(),
                     .input_gradients = needs.input ? result.input.data() : nullptr,
                     .weight_gradients = needs.weight ? result.weight.data() : nullptr,
                     .bias_gradients = needs.bias ? result.bias.data() : nullptr},
                    pool);
      return result;
    };
    const Gradients result = run_partly(make_gradient(problem, needs, 1).get());
    EXPECT_EQ(run_partly(ready.get()), result);
    return result;
  };
  EXPECT_EQ(partly({.input = true, .weight = false, .bias = false}),
            (Gradients{all.input, nothing.weight, nothing.bias}));
  EXPECT_EQ(partly({.input = false, .weight = true, .bias = false}),
            (Gradients{nothing.input, all.weight, nothing.bias}));
  EXPECT_EQ(partly({.input = false, .weight = false, .bias = true}),
            (Gradients{nothing.input, nothing.weight, all.bias}));
}

TEST(LayerGradient, FollowsTheWeights) {
  Random random(7);
  for (const bool transposed : {false, true}) {
    Options o = layer_options(5, 7, 4);
    o.stride = 2;
    o.transposed = transposed;
    const Problem problem = make_problem(random, o, 2, 40);
    const auto gradient = make_gradient(problem, {.input = true, .weight = true, .bias = true}, 1);
    expect_definition(problem, run(problem, gradient.get(), 1));
    static_cast<float*>(problem.layer->weight())[3] += 2;
    problem.layer->changed();
    expect_definition(problem, run(problem, gradient.get(), 1));
  }
}

}  // namespace
}  // namespace conv1d
