#include "options/params.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

namespace conv1d {
namespace {

Options good() {
  Options options;
  options.in_channels = 6;
  options.out_channels = 8;
  options.kernel_size = 3;
  return options;
}

constexpr double kNaN[] = {std::numeric_limits<double>::quiet_NaN()};

struct Refused {
  std::function<void(Options&)> change;
  const char* field;
  const char* message;
};

TEST(Params, EveryRefusalNamesFieldValueAndRule) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Refused table[] = {
      {[](Options& o) { o.in_channels = 0; }, "inChannels", "inChannels must be an integer >= 1, got 0"},
      {[](Options& o) { o.out_channels = -3; }, "outChannels", "outChannels must be an integer >= 1, got -3"},
      {[](Options& o) { o.kernel_size = 2.5; }, "kernelSize", "kernelSize must be an integer >= 1, got 2.5"},
      {[=](Options& o) { o.stride = nan; }, "stride", "stride must be an integer >= 1, got NaN"},
      {[=](Options& o) { o.stride = -1.5; }, "stride", "stride must be an integer >= 1, got -1.5"},
      {[=](Options& o) { o.stride = 0.00001234; }, "stride", "stride must be an integer >= 1, got 1.234e-5"},
      {[=](Options& o) { o.stride = 0.1; }, "stride", "stride must be an integer >= 1, got 0.1"},
      {[=](Options& o) { o.stride = 0.0625; }, "stride", "stride must be an integer >= 1, got 0.0625"},
      {[=](Options& o) { o.stride = 123456.75; }, "stride", "stride must be an integer >= 1, got 123456.75"},
      {[=](Options& o) { o.stride = 0.9999999999999; }, "stride", "stride must be an integer >= 1, got 1"},
      {[=](Options& o) { o.stride = 1e300; }, "stride", "stride must be an integer >= 1 and <= 2147483647, got 1e+300"},
      {[=](Options& o) { o.stride = -2.5e39; }, "stride", "stride must be an integer >= 1, got -2.5e+39"},
      {[](Options& o) { o.dilation = 2147483648.0; }, "dilation",
       "dilation must be an integer >= 1 and <= 2147483647, got 2147483648"},
      {[](Options& o) { o.pad_left = -1; }, "padding", "padding must be an integer >= 0, got -1"},
      {[](Options& o) { o.groups = 4; }, "inChannels", "inChannels (6) must be divisible by groups (4)"},
      {[](Options& o) { o.groups = 3; }, "outChannels", "outChannels (8) must be divisible by groups (3)"},
      {[](Options& o) { o.padding_rule = "full"; }, "padding",
       "padding must be 'valid', 'same' or 'causal', got 'full'"},
      {[](Options& o) { o.padding_mode = "mirror"; }, "paddingMode",
       "paddingMode must be 'zeros', 'reflect', 'replicate' or 'circular', got 'mirror'"},
      {[](Options& o) { o.conv_mode = "convolution"; }, "convMode",
       "convMode must be 'cross_correlation', got 'convolution'; for a true convolution reverse each kernel along its "
       "last axis"},
      {[](Options& o) { o.compute_mode = "float64"; }, "computeMode",
       "computeMode must be 'default' or 'float32', got 'float64'"},
      {[](Options& o) { o.dtype = "int8"; }, "dtype", "dtype must be 'float32' or 'float16', got 'int8'"},
      {[](Options& o) {
         o.activation = "leaky_relu";
         o.parameters = kNaN;
       },
       "activation", "activation's slope must be a finite float32, got NaN"},
      {[](Options& o) { o.algorithm = "fast"; }, "algorithm",
       "algorithm must be 'auto', 'direct', 'toom_cook' or 'fft', got 'fast'"},
      {[](Options& o) { o.in_channels = o.out_channels = o.kernel_size = 2e9; }, "outChannels",
       "the weight has outChannels (2000000000) * inChannels (2000000000) / groups (1) * kernelSize (2000000000) "
       "elements, at most 1073741823 are possible"},
      {[](Options& o) { o.dilation = 2e9; }, "dilation",
       "dilation (2000000000) * (kernelSize (3) - 1) must be less than 1073741823"},
  };
  for (const Refused& refused : table) {
    Options options = good();
    refused.change(options);
    Params params{};
    const auto error = validate(options, &params);
    ASSERT_TRUE(error) << refused.message;
    EXPECT_EQ(error->code, "ERR_OPTION");
    EXPECT_EQ(error->field, refused.field);
    EXPECT_EQ(error->message, refused.message);
  }
}

Params params_of(const Options& options) {
  Params params{};
  EXPECT_FALSE(validate(options, &params));
  return params;
}

TEST(Params, ShapesThatGiveNoOutputSayWhy) {
  Options options = good();
  options.kernel_size = 5;
  options.stride = 2;
  Geometry g{};
  auto error = resolve(params_of(options), 1, 3, &g);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "ERR_SHAPE");
  EXPECT_EQ(error->message,
            "output length must be >= 1, got 0 = floor((L (3) + padLeft (0) + padRight (0) - dilation (1) * "
            "(kernelSize (5) - 1) - 1) / stride (2)) + 1");

  options.padding_mode = "reflect";
  options.pad_left = 4;
  error = resolve(params_of(options), 1, 4, &g);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "reflect padding (4) must be at most L - 1 (3)");

  options.padding_mode = "circular";
  options.pad_left = 5;
  error = resolve(params_of(options), 1, 4, &g);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "circular padding (5) must be at most L (4)");
}

TEST(Params, HugeShapesAreRefusedByArithmetic) {
  const Params params = params_of(good());
  Geometry g{};
  for (const double length : {1e9, 4294967296.0, 9007199254740992.0, 1e300}) {
    const auto error = resolve(params, 1, length, &g);
    ASSERT_TRUE(error) << length;
    EXPECT_EQ(error->code, "ERR_SHAPE");
  }
  EXPECT_TRUE(resolve(params, 1e9, 1e9, &g));
}

TEST(Params, OutputLengths) {
  struct Row {
    double kernel, stride, dilation;
    const char* rule;
    double length;
    int32_t left, right, out;
  };
  constexpr Row kRows[] = {
      {3, 1, 1, "valid", 10, 0, 0, 8},   {4, 1, 1, "same", 10, 1, 2, 10},  {3, 2, 1, "same", 5, 1, 1, 3},
      {3, 2, 1, "same", 6, 0, 1, 3},     {2, 3, 1, "same", 7, 0, 1, 3},    {1, 4, 1, "same", 7, 0, 0, 2},
      {3, 1, 4, "causal", 10, 8, 0, 10}, {3, 2, 4, "causal", 10, 8, 0, 5},
  };
  for (const Row& row : kRows) {
    Options options = good();
    options.kernel_size = row.kernel;
    options.stride = row.stride;
    options.dilation = row.dilation;
    options.padding_rule = row.rule;
    Geometry g{};
    ASSERT_FALSE(resolve(params_of(options), 1, row.length, &g));
    EXPECT_EQ(g.pad_left, row.left) << row.rule;
    EXPECT_EQ(g.pad_right, row.right) << row.rule;
    EXPECT_EQ(g.out_length, row.out) << row.rule;
  }
}

}  // namespace
}  // namespace conv1d
