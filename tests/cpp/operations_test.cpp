#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "exact.h"
#include "test_graph.h"

namespace conv1d {
namespace {

// Below and above a vector, and around the 256 elements that are computed at a time.
constexpr int32_t kCounts[] = {1, 2, 3, 4, 5, 8, 11, 255, 256, 257, 600};

struct Function {
  const char* kind;
  std::vector<double> numbers;
  double (*exact)(double a, double b);  // of the halves of the channels where it has two
  int ulps;                             // of float32
};

double same(double a, double /*b*/) { return a; }

// 4 ulp of either factor, and the rounding of their product, of gates.
const Function kFunctions[] = {
    {"gate", {}, [](double a, double b) { return std::tanh(a) / (1 + std::exp(-b)); }, 9},
    {"glu", {}, [](double a, double b) { return a / (1 + std::exp(-b)); }, 5},
    {"magnitude", {}, [](double a, double b) { return std::hypot(a, b); }, 1},
    {"square", {}, [](double a, double) { return a * a; }, 1},
    {"abs", {}, [](double a, double) { return std::abs(a); }, 0},
    {"exp", {}, [](double a, double) { return std::exp(a); }, 1},
    {"clip", {-0.5, 1}, [](double a, double) { return std::min(std::max(a, -0.5), 1.0); }, 0},
    {"slice", {0, 1, 1}, same, 0},
    {"activation",
     {static_cast<double>(Activation::kLeakyRelu), 0.25},
     [](double a, double) { return a < 0 ? a / 4 : a; },
     0},
    {"activation", {static_cast<double>(Activation::kTanh)}, [](double a, double) { return std::tanh(a); }, 4},
};

// What becomes of two channels.
Signal apply(const Function& f, const Signal& in) {
  return *run_step(operation_step({0}, f.kind, {2}, f.numbers), {in}, DType::kFloat32);
}

TEST(Operations, AreWithinUlpsOfTheirDefinitions) {
  for (const Function& f : kFunctions) {
    for (const int32_t n : kCounts) {
      Signal in = random_signal(1, 2, n, 1);
      const Signal out = apply(f, in);
      for (int32_t i = 0; i < n; ++i) {
        const double expected = f.exact(in.at(0, i), in.at(1, i));
        ASSERT_LE(std::abs(out.values[static_cast<size_t>(i)] - expected), f.ulps * ulp(expected, -126, 23))
            << f.kind << " of " << n;
      }
    }
  }
}

TEST(Operations, DependOnAnElementsOperandsAlone) {
  for (const Function& f : kFunctions) {
    Signal in = random_signal(1, 2, 600, 1);
    const Signal all = apply(f, in);
    for (int32_t i = 0; i < 600; ++i) {
      const Signal alone = apply(f, {1, 2, 1, {in.at(0, i), in.at(1, i)}});
      ASSERT_EQ(alone.values[0], all.values[static_cast<size_t>(i)]) << f.kind << " at " << i;
    }
  }
}

TEST(Operations, OfPairsAndConstantsAreTheFloat32Ones) {
  struct Pair {
    const char* kind;
    float (*exact)(float a, float b);
  };
  constexpr Pair kPairs[] = {{"add", [](float a, float b) { return a + b; }},
                             {"subtract", [](float a, float b) { return a - b; }},
                             {"multiply", [](float a, float b) { return a * b; }},
                             {"divide", [](float a, float b) { return a / b; }}};
  Signal a = random_signal(1, 2, 11, 1);
  Signal b = random_signal(1, 2, 11, 2);
  for (const auto& [kind, exact] : kPairs) {
    Signal pair = *run_step(pair_step(0, 1, kind, 2), {a, b}, DType::kFloat32);
    Signal one = *run_step(operation_step({0}, kind, {2}, {3}), {a}, DType::kFloat32);
    Signal each = *run_step(operation_step({0}, kind, {2}, {3, -5}), {a}, DType::kFloat32);
    for (int32_t row = 0; row < 2; ++row) {
      for (int32_t t = 0; t < 11; ++t) {
        EXPECT_EQ(pair.at(row, t), exact(a.at(row, t), b.at(row, t))) << kind;
        EXPECT_EQ(one.at(row, t), exact(a.at(row, t), 3)) << kind;
        EXPECT_EQ(each.at(row, t), exact(a.at(row, t), row == 0 ? 3 : -5)) << kind;
      }
    }
  }
}

TEST(Operations, AChannelHasItsOwnParameter) {
  const Step prelu = operation_step({0}, "activation", {2}, {static_cast<double>(Activation::kPrelu), 0.5, -3});
  EXPECT_EQ(run_step(prelu, {{1, 2, 1, {-2, -2}}}, DType::kFloat32)->values, (std::vector<float>{-1, 6}));
}

TEST(Operations, SpecialNumbersPassThrough) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Signal a{1, 1, 5, {kInfinity, 1, std::numeric_limits<float>::quiet_NaN(), 0, -kInfinity}};
  const Signal b{1, 1, 5, {-kInfinity, kInfinity, 1, kInfinity, 2}};
  const Signal sum = *run_step(pair_step(0, 1, "add", 1), {a, b}, DType::kFloat32);
  EXPECT_TRUE(std::isnan(sum.values[0]));
  EXPECT_EQ(sum.values[1], kInfinity);
  EXPECT_TRUE(std::isnan(sum.values[2]));
  EXPECT_EQ(sum.values[4], -kInfinity);
  const Signal product = *run_step(pair_step(0, 1, "multiply", 1), {a, b}, DType::kFloat32);
  EXPECT_EQ(product.values[0], -kInfinity);
  EXPECT_TRUE(std::isnan(product.values[3]));
  for (const char* pool : {"maxPool", "averagePool", "globalMaxPool", "globalAveragePool"}) {
    const Signal out = *run_step(operation_step({0}, pool, {1}, {5, 1, 0, 1, 0, 1}), {a}, DType::kFloat32);
    EXPECT_TRUE(std::isnan(out.values[0])) << pool;
  }
  const Signal clipped = *run_step(operation_step({0}, "clip", {1}, {-1, 1}), {a}, DType::kFloat32);
  EXPECT_TRUE(std::isnan(clipped.values[2]));
}

TEST(Operations, AnUnknownOneIsRefused) {
  const int32_t channels = 1;
  auto made = make_operation({.kind = "reshape", .channels = {&channels, 1}, .numbers = {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "ERR_OPTION");
}

}  // namespace
}  // namespace conv1d
