// The options of a convolution: defaults, validation, output length, and the text of every error about them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "buffer.h"
#include "errors.h"
#include "operator/correlation.h"
#include "operator/finish.h"

namespace conv1d {

enum class PaddingRule : uint8_t { kExplicit, kValid, kSame, kCausal };
enum class Algorithm : uint8_t { kAuto, kDirect, kToomCook, kFft };
enum class InitScheme : uint8_t { kMegEngine, kPyTorch };

// The options as a caller gives them, not yet known to be sensible: numbers may be fractions or NaN, names may be
// anything. The initial values are the documented defaults.
struct Options {
  double in_channels = 0;
  double out_channels = 0;
  double kernel_size = 0;
  double stride = 1;
  std::string padding_rule = "explicit";  // 'explicit' uses pad_left and pad_right
  double pad_left = 0;
  double pad_right = 0;
  double dilation = 1;
  double groups = 1;
  bool bias = true;
  std::string conv_mode = "cross_correlation";
  std::string compute_mode = "default";
  std::string padding_mode = "zeros";
  std::string dtype = "float32";
  std::string activation = "none";
  // The activation's, in its table's order, or none for the defaults. One that may be for each channel: a number for
  // all, or out_channels of them.
  std::span<const double> parameters;
  std::string algorithm = "auto";
  bool transposed = false;
  double output_padding = 0;  // of a transposed one
};

// Options that passed validation. Products of the sizes fit an index.
struct Params : Dimensions {
  bool transposed;  // the transpose of a convolution from out_channels to in_channels
  int32_t output_padding;
  PaddingRule padding_rule;
  int32_t pad_left;   // of PaddingRule::kExplicit
  int32_t pad_right;  // of PaddingRule::kExplicit
  bool bias;
  PaddingMode padding_mode;
  DType dtype;
  Finish finish;
  Algorithm algorithm;
};

// One input shape with the padding and output length that follow from it.
struct Geometry {
  int32_t batch;
  int32_t length;
  int32_t pad_left;
  int32_t pad_right;
  int32_t out_length;
};

// Takes an integer >= `least` and < 2^31, or says what the rule for `field` is (ERR_OPTION).
std::optional<Error> parse_integer(const char* field, double value, int32_t least, int32_t* result);

// The name of an option's value.
const char* algorithm_name(Algorithm algorithm);

// Fills `params` from `options`, or says which option breaks which rule (ERR_OPTION).
std::optional<Error> validate(const Options& options, Params* params);

// Reads an activation's name and parameters (as in Options), or says what is wrong with them (ERR_OPTION). Parameters
// for each of `channels` channels are checked, but not written to `finish`, which owns none.
std::optional<Error> parse_activation(const std::string& name, std::span<const double> parameters, int32_t channels,
                                      Finish* finish);

// That an input (batch, channels, length) has no more elements than there may be, or ERR_SHAPE.
std::optional<Error> check_input(double batch, int32_t channels, double length);

// The geometry of an input (batch, in_channels, length), or why there is none (ERR_SHAPE). Transposed, out_length =
// (length - 1) * stride - pad_left - pad_right + dilation * (kernel_size - 1) + output_padding + 1 must be >= 1; else
// out_length = floor((length + pad_left + pad_right - dilation * (kernel_size - 1) - 1) / stride) + 1 must be >= 1,
// 'reflect' needs pads <= length - 1, 'circular' pads <= length, 'replicate' length >= 1.
std::optional<Error> resolve(const Params& params, double batch, double length, Geometry* geometry);

// The correlation that a layer is for an input of that geometry, or whose transpose it is.
Correlation correlation_of(const Params& params, const Geometry& geometry);

// Reads the name of an initialisation scheme, or says which there are (ERR_OPTION).
std::optional<Error> parse_scheme(const std::string& name, InitScheme* scheme);

// Checks a seed: an integer from 0 to 2^53 - 1 (ERR_OPTION).
std::optional<Error> check_seed(double seed);

}  // namespace conv1d
