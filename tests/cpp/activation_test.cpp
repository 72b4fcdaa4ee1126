#include "options/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "exact.h"

// The same source with fused multiply-add: activation_fused.cpp.
namespace conv1d_fused {
enum class Activation : uint8_t;
// NOLINTNEXTLINE(misc-use-internal-linkage)
void apply_activation(Activation f, const float* parameters, float* values, size_t n);
}  // namespace conv1d_fused

namespace conv1d {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kMaxUlp = 4;

// Default parameters, in the table's order.
std::array<float, kMostParameters> defaults_of(Activation f) {
  const auto& [first, second] = entry_of(f).parameters;
  return {static_cast<float>(first.initial), static_cast<float>(second.initial)};
}

bool has_fma() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

void apply(Activation f, const float* parameters, bool fused, float* values, size_t n) {
  if (fused) {
    conv1d_fused::apply_activation(static_cast<conv1d_fused::Activation>(f), parameters, values, n);
  } else {
    apply_activation(f, parameters, values, n);
  }
}

void apply(Activation f, bool fused, float* values, size_t n) { apply(f, defaults_of(f).data(), fused, values, n); }

// What a function should give, in float64. `exact` is right for any finite x. `small`, for |x| < kSmall, and `large`,
// for |x| >= kLarge, are short forms with an error far below one ulp of float32, which make it possible to try every
// float32.
constexpr double kSmall = 0x1p-12;

template <Activation kActivation>
struct Exact {
  static constexpr Activation kFunction = kActivation;
  static constexpr double kLarge = kSmall;
  static double exact(double x) { return exact_activation(kFunction, defaults_of(kFunction).data(), x); }
  static double small(double x) { return exact(x); }
  static double large(double x) { return exact(x); }
};

// Functions that are nearly 0 for large negative x, nearly x for large positive x.
template <Activation kActivation, int kFarAway>
struct Gated : Exact<kActivation> {
  static constexpr double kLarge = kFarAway;
  static double large(double x) { return x > 0 ? x : 0; }
};

struct Gelu : Gated<Activation::kGelu, 16> {
  static double small(double x) { return x * (0.5 + x * 0.39894228040143268); }
};

struct GeluTanh : Gated<Activation::kGeluTanh, 16> {
  static double small(double x) { return x * (0.5 + x * 0.39894228040143268); }
};

struct Silu : Gated<Activation::kSilu, 128> {
  static double small(double x) { return x * (0.5 + x * 0.25); }
};

struct Mish : Gated<Activation::kMish, 128> {
  static double small(double x) { return x * (0.6 + x * (0.32 - x * 0.016)); }
};

struct Softplus : Gated<Activation::kSoftplus, 128> {
  static double small(double x) { return 0.69314718055994531 + x * (0.5 + x * 0.125); }
};

struct Tanh : Exact<Activation::kTanh> {
  static constexpr double kLarge = 16;
  static double small(double x) { return x - x * x * x * (1.0 / 3); }
  static double large(double x) { return x > 0 ? 1 : -1; }
};

struct Sigmoid : Exact<Activation::kSigmoid> {
  static constexpr double kLarge = 128;
  static double small(double x) { return 0.5 + x * 0.25; }
  static double large(double x) { return x > 0 ? 1 : 0; }
};

struct Elu : Exact<Activation::kElu> {
  static constexpr double kLarge = 64;
  static double small(double x) { return x < 0 ? x * (1 + x * (0.5 + x * (1.0 / 6))) : x; }
  static double large(double x) { return x > 0 ? x : -1; }
};

struct Selu : Exact<Activation::kSelu> {
  static constexpr double kLarge = 64;
  static double small(double x) { return x < 0 ? 1.7580993408473766 * Elu::small(x) : exact(x); }
  static double large(double x) { return x < 0 ? -1.7580993408473766 : exact(x); }
};

struct Snake : Exact<Activation::kSnake> {
  static constexpr double kLarge = 0x1p35;
  static double small(double x) { return x + x * x; }
  static double large(double x) { return x; }
};

constexpr size_t kBlock = 1024;
using Floats = std::array<float, kBlock>;
using Doubles = std::array<double, kBlock>;

// To tell NaN from NaN and 0 from -0.
template <size_t kCount>
auto bits_of(const std::array<float, kCount>& values) {
  return std::bit_cast<std::array<uint32_t, kCount>>(values);
}

// The largest error found, in ulps of float32 at the true value, and where.
struct Worst {
  float ulps = 0;  // NaN: a result was NaN that should not have been, or the other way round
  float x = 0;

  void include(const Worst& other) {
    if (!std::isnan(ulps) && !(other.ulps <= ulps)) *this = other;
  }

  void expect(Activation f, bool fused) const {
    const std::string what = std::string(entry_of(f).name) + (fused ? " with fused" : " without fused") + " madd()";
    std::printf("%s: %.3f ulp at %.9g\n", what.c_str(), ulps, x);
    EXPECT_LE(ulps, kMaxUlp) << what << " at " << x;
  }
};

// 1 / ulp of float32 where the true value is `want`.
Doubles per_ulp(const Doubles& want) {
  Doubles power;
  for (size_t i = 0; i < kBlock; ++i) {
    power[i] = std::bit_cast<double>(std::bit_cast<uint64_t>(want[i]) & 0x7ff0000000000000);
  }
  Doubles result;
  for (size_t i = 0; i < kBlock; ++i) {
    // The exponents of a power of two and its reciprocal add up to twice the bias.
    const auto bits = std::bit_cast<uint64_t>(power[i] > 0x1p-126 ? power[i] : 0x1p-126);
    result[i] = std::bit_cast<double>(0x7fe0000000000000 - bits) * 0x1p23;
  }
  return result;
}

// Infinities, and what float32 has to make of larger numbers, are next after the largest float32.
double bounded(double value) { return std::clamp(value, -0x1p128, 0x1p128); }

// The errors of a block and the largest of them. The loops are such that compilers make SIMD of them.
struct Errors {
  Floats ulps;
  float largest;  // NaN if one of them is

  Errors(const Floats& got, const Doubles& want, const Doubles& per_ulp) {
    for (size_t i = 0; i < kBlock; ++i) {
      ulps[i] = static_cast<float>(std::fabs(bounded(got[i]) - bounded(want[i])) * per_ulp[i]);
    }
    // As integers positive floats keep their order, and NaN comes last.
    int32_t bits = 0;
    for (size_t i = 0; i < kBlock; ++i) bits = std::max(bits, std::bit_cast<int32_t>(ulps[i]) & INT32_MAX);
    largest = std::bit_cast<float>(bits);
  }
};

template <class Reference>
class ActivationAccuracy : public testing::Test {};
template <class Reference>
class ActivationExhaustive : public testing::Test {};

using References = testing::Types<Exact<Activation::kRelu>, Exact<Activation::kRelu6>, Exact<Activation::kLeakyRelu>,
                                  Exact<Activation::kPrelu>, Gelu, GeluTanh, Silu, Tanh, Sigmoid, Elu, Selu, Softplus,
                                  Exact<Activation::kSoftsign>, Mish, Exact<Activation::kHardTanh>,
                                  Exact<Activation::kHardSigmoid>, Exact<Activation::kHardSwish>, Snake>;
struct ReferenceNames {
  template <class Reference>
  static std::string GetName(int) {  // NOLINT(readability-identifier-naming): GoogleTest's choice
    return entry_of(Reference::kFunction).name;
  }
};
TYPED_TEST_SUITE(ActivationAccuracy, References, ReferenceNames);
TYPED_TEST_SUITE(ActivationExhaustive, References, ReferenceNames);

// Applies the function with and without fused madd(), and includes the errors in worst[fused].
void check(Activation f, const float* parameters, const Floats& inputs, const Doubles& want,
           std::array<Worst, 2>* worst) {
  Doubles scale;
  for (size_t i = 0; i < kBlock; ++i) scale[i] = scale_of(f, inputs[i], bounded(want[i]));
  scale = per_ulp(scale);
  const auto include = [&](const Floats& outputs, const Errors& errors, Worst* result) {
    if (errors.largest <= result->ulps) return;
    for (size_t i = 0; i < kBlock; ++i) {
      const bool same = outputs[i] == want[i] || (std::isnan(outputs[i]) && std::isnan(want[i]));
      if (!same) result->include({.ulps = errors.ulps[i], .x = inputs[i]});
    }
  };
  Floats outputs = inputs;
  apply(f, parameters, false, outputs.data(), kBlock);
  const Errors errors(outputs, want, scale);
  include(outputs, errors, worst->data());
  if (!has_fma()) return;
  Floats fused = inputs;
  apply(f, parameters, true, fused.data(), kBlock);
  const bool same = bits_of(fused) == bits_of(outputs);
  include(fused, same ? errors : Errors(fused, want, scale), worst->data() + 1);
}

// Block `block` of floats from all over their range; 0 in place of those that are not finite.
void fill_sample(uint32_t block, Floats* inputs) {
  for (uint32_t i = 0; i < kBlock; ++i) {
    const auto x = std::bit_cast<float>((block * static_cast<uint32_t>(kBlock) + i) * 10007);
    (*inputs)[i] = std::isfinite(x) ? x : 0;
  }
}

TYPED_TEST(ActivationAccuracy, OfASample) {
  const auto parameters = defaults_of(TypeParam::kFunction);
  std::array<Worst, 2> worst;
  Floats inputs;
  Doubles want;
  for (uint32_t block = 0; block < 400; ++block) {
    fill_sample(block, &inputs);
    std::transform(inputs.begin(), inputs.end(), want.begin(), TypeParam::exact);
    check(TypeParam::kFunction, parameters.data(), inputs, want, &worst);
  }
  worst[0].expect(TypeParam::kFunction, false);
  worst[1].expect(TypeParam::kFunction, true);
}

struct WithParameters {
  Activation activation;
  std::array<float, kMostParameters> parameters;
};

constexpr WithParameters kParameters[] = {
    {Activation::kLeakyRelu, {3}},       {Activation::kPrelu, {-0.5F}},   {Activation::kPrelu, {1e-30F}},
    {Activation::kElu, {-1.5F}},         {Activation::kElu, {0.3F}},      {Activation::kElu, {1e-30F}},
    {Activation::kSoftplus, {1e-6F}},    {Activation::kSoftplus, {0.7F}}, {Activation::kSoftplus, {3}},
    {Activation::kSoftplus, {50}},       {Activation::kSoftplus, {1e6F}}, {Activation::kHardTanh, {-2.5F, -0.1F}},
    {Activation::kHardTanh, {0, 1e30F}}, {Activation::kSnake, {1e-40F}},  {Activation::kSnake, {0.01F}},
    {Activation::kSnake, {-0.7F}},       {Activation::kSnake, {3.3F}},    {Activation::kSnake, {50}},
    {Activation::kSnake, {1e6F}},        {Activation::kSnake, {-1e20F}},
};

TEST(ActivationAccuracyWith, OtherParameters) {
  for (const auto& [f, parameters] : kParameters) {
    std::array<Worst, 2> worst;
    Floats inputs;
    Doubles want;
    for (uint32_t block = 0; block < 400; ++block) {
      fill_sample(block, &inputs);
      std::ranges::transform(inputs, want.begin(), [&](float x) { return exact_activation(f, parameters.data(), x); });
      check(f, parameters.data(), inputs, want, &worst);
    }
    worst[0].expect(f, false);
    worst[1].expect(f, true);
  }
}

// The exhaustive test rests on the short forms.
TYPED_TEST(ActivationAccuracy, OfTheShortForms) {
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 10007) {
    const double x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    const double magnitude = std::fabs(x);
    if (!std::isfinite(x) || (magnitude >= kSmall && magnitude < TypeParam::kLarge)) continue;
    const double want = TypeParam::exact(x);
    const double got = magnitude < kSmall ? TypeParam::small(x) : TypeParam::large(x);
    ASSERT_NEAR(got, want, std::max(std::fabs(want) * 0x1p-34, 0x1p-160)) << x;
  }
}

// All numbers of a block have the same sign and exponent.
template <class Reference>
void fill_reference(const Floats& inputs, Doubles* want) {
  const double magnitude = std::fabs(inputs[0]);
  if (magnitude < kSmall) {
    std::transform(inputs.begin(), inputs.end(), want->begin(), Reference::small);
  } else if (magnitude < Reference::kLarge) {
    std::transform(inputs.begin(), inputs.end(), want->begin(), Reference::exact);
  } else if (std::isfinite(magnitude)) {
    std::transform(inputs.begin(), inputs.end(), want->begin(), Reference::large);
  } else {
    std::transform(inputs.begin(), inputs.end(), want->begin(),
                   [](float x) { return std::isnan(x) ? double{kNaN} : Reference::large(x); });
  }
}

TYPED_TEST(ActivationExhaustive, EveryFloat) {
  constexpr uint32_t kThreads = 2;
  std::array<std::array<Worst, 2>, kThreads> worst;
  const auto parameters = defaults_of(TypeParam::kFunction);
  const auto work = [&](uint32_t thread) {
    Floats inputs;
    Doubles want;
    for (uint32_t block = thread; block < (uint64_t{1} << 32) / kBlock; block += kThreads) {
      for (uint32_t i = 0; i < kBlock; ++i) inputs[i] = std::bit_cast<float>(block * static_cast<uint32_t>(kBlock) + i);
      fill_reference<TypeParam>(inputs, &want);
      check(TypeParam::kFunction, parameters.data(), inputs, want, &worst[thread]);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (const bool fused : {false, true}) {
    Worst total = worst[0][fused ? 1 : 0];
    total.include(worst[1][fused ? 1 : 0]);
    total.expect(TypeParam::kFunction, fused);
  }
}

// All but kNone.
const std::vector<Activation> kFunctions = [] {
  std::vector<Activation> all;
  for (size_t i = 1; i < std::size(kActivations); ++i) all.push_back(static_cast<Activation>(i));
  return all;
}();

float value(Activation f, float x, bool fused = false) {
  apply(f, fused, &x, 1);
  return x;
}

// Equal, and equal in sign if zero.
void expect_same(float got, float want) { EXPECT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(want)); }

TEST(Activation, HasNames) {
  EXPECT_STREQ(entry_of(Activation::kNone).name, "none");
  EXPECT_STREQ(entry_of(Activation::kLeakyRelu).name, "leaky_relu");
  EXPECT_STREQ(entry_of(Activation::kSigmoid).name, "sigmoid");
  EXPECT_STREQ(entry_of(Activation::kHardSwish).name, "hardswish");
  EXPECT_STREQ(entry_of(Activation::kSnake).name, "snake");
}

TEST(Activation, KeepsNaN) {
  for (const Activation f : kFunctions) {
    for (const float x : {kNaN, -kNaN, std::numeric_limits<float>::signaling_NaN()}) {
      EXPECT_TRUE(std::isnan(value(f, x))) << entry_of(f).name;
    }
  }
}

TEST(Activation, HasLimits) {
  struct Limits {
    Activation f;
    float minus;
    float plus;
  };
  for (const auto& [f, minus, plus] : {
           Limits{Activation::kRelu, 0, kInfinity},
           {Activation::kRelu6, 0, 6},
           {Activation::kLeakyRelu, -kInfinity, kInfinity},
           {Activation::kPrelu, -kInfinity, kInfinity},
           {Activation::kGelu, -0.0F, kInfinity},
           {Activation::kGeluTanh, -0.0F, kInfinity},
           {Activation::kSilu, -0.0F, kInfinity},
           {Activation::kMish, -0.0F, kInfinity},
           {Activation::kSoftplus, 0, kInfinity},
           {Activation::kElu, -1, kInfinity},
           {Activation::kSelu, -1.75809934F, kInfinity},
           {Activation::kTanh, -1, 1},
           {Activation::kSoftsign, -1, 1},
           {Activation::kHardTanh, -1, 1},
           {Activation::kSigmoid, 0, 1},
           {Activation::kHardSigmoid, 0, 1},
           {Activation::kHardSwish, -0.0F, kInfinity},
           {Activation::kSnake, -kInfinity, kInfinity},
       }) {
    SCOPED_TRACE(entry_of(f).name);
    for (const bool fused : {false, true}) {
      if (fused && !has_fma()) continue;
      expect_same(value(f, kInfinity, fused), plus);
      expect_same(value(f, -kInfinity, fused), minus);
      if (f != Activation::kSelu) expect_same(value(f, 3e38F, fused), std::min(plus, 3e38F));
      if (std::isfinite(minus)) expect_same(value(f, -3e38F, fused), minus);
    }
  }
}

TEST(Activation, KeepsTheSignOfZero) {
  for (const Activation f : kFunctions) {
    SCOPED_TRACE(entry_of(f).name);
    if (f == Activation::kSigmoid || f == Activation::kHardSigmoid) {
      EXPECT_EQ(value(f, 0), 0.5F);
    } else if (f == Activation::kSoftplus) {
      EXPECT_EQ(value(f, 0), 0.693147182F);
    } else {
      expect_same(value(f, 0.0F), 0.0F);
      const bool adds = f == Activation::kSnake;  // 0 to it
      if (f != Activation::kRelu && f != Activation::kRelu6 && !adds) expect_same(value(f, -0.0F), -0.0F);
    }
  }
}

// The steepest that each is, by its definition: no more than the table says, and nearly that.
TEST(Activation, IsAsSteepAsTheTableSays) {
  constexpr double kStep = 0x1p-10;
  for (const Activation f : kFunctions) {
    const auto parameters = defaults_of(f);
    double steepest = 0;
    for (int32_t i = -20480; i < 20480; ++i) {
      const double x = i * kStep;
      const double rise = exact_activation(f, parameters.data(), x + kStep) - exact_activation(f, parameters.data(), x);
      steepest = std::max(steepest, std::abs(rise) / kStep);
    }
    EXPECT_LE(steepest, lipschitz(f, parameters.data()) * (1 + 1e-9)) << entry_of(f).name;
    EXPECT_GE(steepest, lipschitz(f, parameters.data()) * 0.998) << entry_of(f).name;
  }
}

TEST(Activation, StaysWithinItsBounds) {
  for (int i = 0; i < 200000; ++i) {
    const float x = static_cast<float>(i) * 0.001F;
    ASSERT_LE(value(Activation::kTanh, x), 1);
    ASSERT_LE(value(Activation::kSigmoid, x), 1);
    ASSERT_GE(value(Activation::kSigmoid, -x), 0);
    for (const Activation f : {Activation::kGelu, Activation::kGeluTanh, Activation::kSilu}) {
      ASSERT_LE(value(f, x), x);
      ASSERT_LE(value(f, -x), 0);
    }
  }
}

TEST(Activation, TanhIsOdd) {
  for (uint32_t bits = 1; bits < 0x7f800000; bits += 1013) {
    const auto x = std::bit_cast<float>(bits);
    for (const bool fused : {false, true}) {
      if (fused && !has_fma()) continue;
      ASSERT_EQ(value(Activation::kTanh, -x, fused), -value(Activation::kTanh, x, fused)) << x;
      ASSERT_LE(value(Activation::kTanh, x, fused), 1) << x;
    }
  }
}

TEST(Activation, TakesTheSlopeOfLeakyRelu) {
  for (const float slope : {0.0F, 0.25F, 1.0F, 3.0F, -2.0F}) {
    std::array<float, 5> values = {-2, -0.5F, 0, 0.5F, 2};
    apply_activation(Activation::kLeakyRelu, &slope, values.data(), values.size());
    EXPECT_EQ(values, (std::array<float, 5>{-2 * slope, -0.5F * slope, 0, 0.5F, 2}));
  }
}

TEST(Activation, NoneChangesNothing) {
  std::array<float, 3> values = {-1, kNaN, 2};
  const auto before = values;
  apply(Activation::kNone, false, values.data(), values.size());
  EXPECT_EQ(bits_of(values), bits_of(before));
}

// Whatever an element's position, its neighbours and the length: the same bits. And none beyond the length changes.
TEST(Activation, DependsOnTheValueAlone) {
  constexpr float kOutside = 123.5F;
  const std::array<float, 12> inputs = {-0.7F, 3.1F,  -104.2F, 1e-40F, -9.3F, 0.2F,
                                        88.0F, -1e9F, -2.5F,   0.0F,   17.0F, kInfinity};
  for (const Activation f : kFunctions) {
    for (const bool fused : {false, true}) {
      if (fused && !has_fma()) continue;
      std::array<float, 12> wants = inputs;
      for (float& x : wants) apply(f, fused, &x, 1);
      for (size_t n = 0; n <= 26; ++n) {
        for (size_t start = 0; start < 12; ++start) {
          std::vector<float> values(n + 2, kOutside);
          for (size_t i = 0; i < n; ++i) values[i + 1] = inputs[(start + i) % 12];
          apply(f, fused, values.data() + 1, n);
          EXPECT_EQ(values.front(), kOutside);
          EXPECT_EQ(values.back(), kOutside);
          for (size_t i = 0; i < n; ++i) expect_same(values[i + 1], wants[(start + i) % 12]);
        }
      }
    }
  }
}

// Exactly n floats on the heap, where a sanitizer sees any access beyond them.
TEST(Activation, TouchesNothingBeyondTheEnd) {
  for (const Activation f : kFunctions) {
    for (size_t n = 0; n < 20; ++n) {
      const std::unique_ptr<float[]> values(new float[n]);
      std::fill_n(values.get(), n, -1.0F);
      apply(f, false, values.get(), n);
      for (size_t i = 0; i < n; ++i) EXPECT_EQ(values[i], value(f, -1.0F));
    }
  }
}

}  // namespace
}  // namespace conv1d
