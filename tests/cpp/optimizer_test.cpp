// Steps of optimisers against their formulas in float64, at every count of numbers in the last vector. What PyTorch
// makes of many steps is compared in JavaScript.
#include "training/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace conv1d {
namespace {

struct Numbers {
  double parameter, gradient;
  double states[3];
};

Numbers numbers(size_t i) {
  const auto x = static_cast<double>(i);
  return {std::sin(x + 1), std::cos(3 * x), {std::sin(5 * x) / 4, 0.5 + (std::cos(x) / 4), std::cos(7 * x) / 4}};
}

// Runs `rule` over `count` numbers in arrays of just that size, with the states of which `has` says that there are, and
// compares with what `formula` makes of each.
template <class Rule, class Formula>
void expect_step(const Rule& rule, std::vector<bool> has, Formula formula) {
  for (size_t count = 1; count <= 9; ++count) {
    std::vector<float> parameter;
    std::vector<float> gradient;
    std::vector<std::vector<float>> states(3);
    for (size_t i = 0; i < count; ++i) {
      const Numbers given = numbers(i);
      parameter.push_back(static_cast<float>(given.parameter));
      gradient.push_back(static_cast<float>(given.gradient));
      for (size_t s = 0; s < 3; ++s) states[s].push_back(static_cast<float>(given.states[s]));
    }
    const auto at = [&](size_t s) { return has[s] ? states[s].data() : nullptr; };
    optimize(rule, {count, parameter.data(), gradient.data(), {at(0), at(1), at(2)}});
    for (size_t i = 0; i < count; ++i) {
      Numbers expected = numbers(i);
      for (size_t s = 0; s < 3; ++s) expected.states[s] = has[s] ? expected.states[s] : 0;
      formula(&expected);
      EXPECT_NEAR(parameter[i], expected.parameter, 1e-6) << i << " of " << count;
      for (size_t s = 0; s < 3; ++s) {
        if (has[s]) {
          EXPECT_NEAR(states[s][i], expected.states[s], 1e-6) << i << " of " << count;
        }
      }
    }
  }
}

TEST(Optimizer, SgdTakesGradientsAndMomentum) {
  const Sgd rule{.weight_decay = 0.25, .decay = 0.75, .gain = 0.5, .from_gradient = 0.125, .from_momentum = 0.0625};
  for (const bool has_momentum : {false, true}) {
    expect_step(rule, {has_momentum, false, false}, [](Numbers* x) {
      const double g = x->gradient + 0.25 * x->parameter;
      x->states[0] = 0.75 * x->states[0] + 0.5 * g;
      x->parameter -= 0.125 * g + 0.0625 * x->states[0];
    });
  }
}

TEST(Optimizer, AdamDividesByTheRootOfSquares) {
  const Adam rule{.weight_decay = 0.25,
                  .shrink = 0.125,
                  .beta1 = 0.75,
                  .rest1 = 0.25,
                  .beta2 = 0.875,
                  .rest2 = 0.125,
                  .step_size = 0.5,
                  .scale = 2,
                  .eps = 0.25};
  expect_step(rule, {true, true, false}, [](Numbers* x) {
    const double g = x->gradient + 0.25 * x->parameter;
    x->states[0] = 0.75 * x->states[0] + 0.25 * g;
    x->states[1] = 0.875 * x->states[1] + 0.125 * g * g;
    x->parameter -= 0.125 * x->parameter + 0.5 * x->states[0] / (2 * std::sqrt(x->states[1]) + 0.25);
  });
}

TEST(Optimizer, RmsPropDoesWithTheStatesThatItHas) {
  const RmsProp rule{.weight_decay = 0.25,
                     .alpha = 0.75,
                     .rest = 0.25,
                     .grad_rest = 0.25,
                     .eps = 0.25,
                     .momentum = 0.5,
                     .learning_rate = 0.125};
  for (const bool has_average : {false, true}) {
    for (const bool has_momentum : {false, true}) {
      expect_step(rule, {true, has_average, has_momentum}, [](Numbers* x) {
        auto& [v, a, m] = x->states;
        const double g = x->gradient + 0.25 * x->parameter;
        v = 0.75 * v + 0.25 * g * g;
        a = 0.75 * a + 0.25 * g;
        m = 0.5 * m + g / (std::sqrt(std::max(v - a * a, 0.0)) + 0.25);
        x->parameter -= 0.125 * m;
      });
    }
  }
}

// One of rounding's making, where v - a^2 is 0.
TEST(Optimizer, RmsPropTakesNoRootOfANegativeNumber) {
  const RmsProp rule{
      .weight_decay = 0, .alpha = 1, .rest = 0, .grad_rest = 0, .eps = 0.5, .momentum = 0, .learning_rate = 1};
  float parameter = 1;
  const float gradient = 1;
  float square = 1;
  float average = std::nextafter(1.0F, 2.0F);
  optimize(rule, {1, &parameter, &gradient, {&square, &average, nullptr}});
  EXPECT_EQ(parameter, -1);
}

}  // namespace
}  // namespace conv1d
