#include "options/params.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "integers.h"

namespace conv1d {
namespace {

constexpr const char* kPaddingModeNames[] = {"zeros", "reflect", "replicate", "circular"};
constexpr const char* kPaddingRuleNames[] = {"explicit", "valid", "same", "causal"};
constexpr const char* kDTypeNames[] = {"float32", "float16"};
constexpr const char* kAlgorithmNames[] = {"auto", "direct", "toom_cook", "fft"};
constexpr const char* kComputeModeNames[] = {"default", "float32"};
constexpr const char* kSchemeNames[] = {"megengine", "pytorch"};
constexpr auto kActivationNames = [] {
  std::array<const char*, std::size(kActivations)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kActivations[i].name;
  return names;
}();
constexpr double kMaxInt = 2147483647;

// Which of `names`, from `first` on, `value` is.
std::optional<Error> find_name(const char* field, const std::string& value, std::span<const char* const> names,
                               size_t first, size_t* index) {
  for (*index = first; *index < names.size(); ++*index) {
    if (value == names[*index]) return std::nullopt;
  }
  std::string list;
  for (size_t i = first; i < names.size(); ++i) {
    list += i == first ? "'" : i + 1 == names.size() ? "' or '" : "', '";
    list += names[i];
  }
  return option_error(field, std::string(field) + " must be " + list + "', got '" + value + "'");
}

template <class Enum>
std::optional<Error> parse_name(const char* field, const std::string& value, std::span<const char* const> names,
                                Enum* result, size_t first = 0) {
  size_t index = 0;
  if (auto error = find_name(field, value, names, first, &index)) return error;
  *result = static_cast<Enum>(index);  // NOLINT(clang-analyzer-optin.core.EnumCastOutOfRange): it has as many values
  return std::nullopt;
}

std::optional<Error> check_divisible(const char* field, int32_t channels, int32_t groups) {
  if (channels % groups == 0) return std::nullopt;
  return option_error(field,
                      field + format(" (%) must be divisible by groups (%)", {double(channels), double(groups)}));
}

// Which rule a parameter breaks, or null.
const char* broken_rule(Activation activation, float value) {
  if (!std::isfinite(value)) return " must be a finite float32, got %";
  if (activation == Activation::kSnake && value == 0) return " must not be 0, got %";
  const bool fits = value >= 1e-6F && value <= 1e6F;
  return activation == Activation::kSoftplus && !fits ? " must be from 1e-6 to 1e6, got %" : nullptr;
}

std::optional<Error> check_transposed(const Options& options, Params* p) {
  p->transposed = options.transposed;
  if (!options.transposed) return std::nullopt;
  if (p->padding_mode != PaddingMode::kZeros) {
    return option_error("paddingMode",
                        "paddingMode of a transposed convolution must be 'zeros', got '" + options.padding_mode + "'");
  }
  if (p->padding_rule != PaddingRule::kExplicit && p->padding_rule != PaddingRule::kValid) {
    return option_error("padding",
                        "padding of a transposed convolution must be a number, [left, right] or 'valid', "
                        "got '" +
                            options.padding_rule + "'; it is cut off the output");
  }
  p->padding_rule = PaddingRule::kExplicit;  // 'valid' comes with zeros
  if (auto error = parse_integer("outputPadding", options.output_padding, 0, &p->output_padding)) return error;
  if (p->output_padding < std::max(p->stride, p->dilation)) return std::nullopt;
  return option_error("outputPadding", format("outputPadding (%) must be less than stride (%) or dilation (%)",
                                              {options.output_padding, options.stride, options.dilation}));
}

std::string output_length_text(const Params& params, const Geometry& g, int64_t out_length) {
  if (params.transposed) {
    return format(
        "output length must be >= 1, got % = (L (%) - 1) * stride (%) - padLeft (%) - padRight (%) + dilation (%) * "
        "(kernelSize (%) - 1) + outputPadding (%) + 1",
        {double(out_length), double(g.length), double(params.stride), double(g.pad_left), double(g.pad_right),
         double(params.dilation), double(params.kernel_size), double(params.output_padding)});
  }
  return format(
      "output length must be >= 1, got % = floor((L (%) + padLeft (%) + padRight (%) - dilation (%) * (kernelSize (%) "
      "- "
      "1) - 1) / stride (%)) + 1",
      {double(out_length), double(g.length), double(g.pad_left), double(g.pad_right), double(params.dilation),
       double(params.kernel_size), double(params.stride)});
}

}  // namespace

std::optional<Error> parse_integer(const char* field, double value, int32_t least, int32_t* result) {
  if (!(value >= least && value <= kMaxInt && value == std::trunc(value))) {
    const char* rule =
        value > kMaxInt ? " must be an integer >= % and <= 2147483647, got %" : " must be an integer >= %, got %";
    return option_error(field, field + format(rule, {double(least), value}));
  }
  *result = static_cast<int32_t>(value);
  return std::nullopt;
}

const char* algorithm_name(Algorithm algorithm) { return kAlgorithmNames[static_cast<size_t>(algorithm)]; }

std::optional<Error> validate(const Options& options, Params* params) {
  using Check = std::optional<Error> (*)(const Options& options, Params* p);
  static constexpr Check kChecks[] = {
      [](const Options& options, Params* p) {
        return parse_integer("inChannels", options.in_channels, 1, &p->in_channels);
      },
      [](const Options& options, Params* p) {
        return parse_integer("outChannels", options.out_channels, 1, &p->out_channels);
      },
      [](const Options& options, Params* p) {
        return parse_integer("kernelSize", options.kernel_size, 1, &p->kernel_size);
      },
      [](const Options& options, Params* p) { return parse_integer("stride", options.stride, 1, &p->stride); },
      [](const Options& options, Params* p) {
        return parse_name("padding", options.padding_rule, kPaddingRuleNames, &p->padding_rule,
                          options.padding_rule == kPaddingRuleNames[0] ? 0 : 1);
      },
      [](const Options& options, Params* p) { return parse_integer("padding", options.pad_left, 0, &p->pad_left); },
      [](const Options& options, Params* p) { return parse_integer("padding", options.pad_right, 0, &p->pad_right); },
      [](const Options& options, Params* p) { return parse_integer("dilation", options.dilation, 1, &p->dilation); },
      [](const Options& options, Params* p) { return parse_integer("groups", options.groups, 1, &p->groups); },
      [](const Options& /*options*/, Params* p) { return check_divisible("inChannels", p->in_channels, p->groups); },
      [](const Options& /*options*/, Params* p) { return check_divisible("outChannels", p->out_channels, p->groups); },
      [](const Options& options, Params* /*p*/) -> std::optional<Error> {
        if (options.conv_mode == "cross_correlation") return std::nullopt;
        return option_error("convMode", "convMode must be 'cross_correlation', got '" + options.conv_mode +
                                            "'; for a true convolution reverse each kernel along its last axis");
      },
      [](const Options& options, Params* /*p*/) {
        size_t mode = 0;
        return find_name("computeMode", options.compute_mode, kComputeModeNames, 0, &mode);
      },
      [](const Options& options, Params* p) {
        return parse_name("paddingMode", options.padding_mode, kPaddingModeNames, &p->padding_mode);
      },
      [](const Options& options, Params* p) { return parse_name("dtype", options.dtype, kDTypeNames, &p->dtype); },
      [](const Options& options, Params* p) {
        return parse_activation(options.activation, options.parameters, p->out_channels, &p->finish);
      },
      [](const Options& options, Params* p) {
        return parse_name("algorithm", options.algorithm, kAlgorithmNames, &p->algorithm);
      },
      [](const Options& options, Params* p) { return check_transposed(options, p); },
      [](const Options& /*options*/, Params* p) -> std::optional<Error> {
        if (p->algorithm != Algorithm::kToomCook || p->has_toom_cook()) return std::nullopt;
        return unsupported(
            "algorithm",
            format("algorithm 'toom_cook' needs taps to combine: kernelSize (%) must be greater than stride "
                   "(%) / gcd(stride, dilation (%))",
                   {double(p->kernel_size), double(p->stride), double(p->dilation)}));
      },
      [](const Options& options, Params* /*p*/) -> std::optional<Error> {
        const double size = options.out_channels * options.in_channels / options.groups * options.kernel_size;
        if (size <= static_cast<double>(kMaxElements)) return std::nullopt;
        return option_error("outChannels", format("the weight has outChannels (%) * inChannels (%) / groups (%) * "
                                                  "kernelSize (%) elements, at most % are possible",
                                                  {options.out_channels, options.in_channels, options.groups,
                                                   options.kernel_size, double(kMaxElements)}));
      },
      [](const Options& /*options*/, Params* p) -> std::optional<Error> {
        if (p->reach() < kMaxElements) return std::nullopt;
        return option_error("dilation", format("dilation (%) * (kernelSize (%) - 1) must be less than %",
                                               {double(p->dilation), double(p->kernel_size), double(kMaxElements)}));
      }};
  Params p{};
  for (const Check check : kChecks) {
    if (auto error = check(options, &p)) return error;
  }
  p.bias = options.bias;
  *params = p;
  return std::nullopt;
}

std::optional<Error> parse_activation(const std::string& name, std::span<const double> parameters, int32_t channels,
                                      Finish* finish) {
  if (auto error = parse_name("activation", name, kActivationNames, &finish->activation)) return error;
  const ActivationEntry& entry = entry_of(finish->activation);
  for (size_t i = 0; i < kMostParameters; ++i) finish->parameters[i] = static_cast<float>(entry.parameters[i].initial);
  const bool listed = entry.per_channel && parameters.size() > 1;
  // The rule that is broken, if any, by which parameter, and the numbers of its text.
  struct {
    const char* rule;
    size_t which;
    double first;
    double second;
  } broken{};
  if (listed && parameters.size() != static_cast<size_t>(channels)) {
    broken = {" must be a number or one for each of % channels, got %", 0, static_cast<double>(channels),
              static_cast<double>(parameters.size())};
  }
  for (size_t i = 0; i < parameters.size() && broken.rule == nullptr; ++i) {
    const size_t which = listed ? 0 : i;
    const auto value = static_cast<float>(parameters[i]);
    broken = {broken_rule(finish->activation, value), which, parameters[i], 0};
    if (!listed) finish->parameters[which] = value;
  }
  const auto [first, second] = finish->parameters;
  if (broken.rule == nullptr && finish->activation == Activation::kHardTanh && first > second) {
    broken = {" (%) must be at most maxVal (%)", 0, first, second};
  }
  if (broken.rule == nullptr) return std::nullopt;
  return option_error("activation", std::string("activation's ") + entry.parameters[broken.which].name +
                                        format(broken.rule, {broken.first, broken.second}));
}

std::optional<Error> check_input(double batch, int32_t channels, double length) {
  constexpr auto kMost = static_cast<double>(kMaxElements);
  const double size = batch * channels * length;
  if (batch >= 0 && batch <= kMost && length >= 0 && length <= kMost && size <= kMost) return std::nullopt;
  return shape_error(
      "input", format("input shape (%, %, %) has more than % elements", {batch, double(channels), length, kMost}));
}

std::optional<Error> resolve(const Params& params, double batch, double length, Geometry* geometry) {
  if (auto error = check_input(batch, params.in_channels, length)) return error;
  constexpr auto kMost = static_cast<double>(kMaxElements);
  Geometry g{};
  int64_t left = params.pad_left;
  int64_t right = params.pad_right;
  const auto l = static_cast<int64_t>(length);
  if (params.padding_rule == PaddingRule::kSame) {
    // TensorFlow's rule (tf.nn.convolution): ceil(L / stride) outputs, the odd element of padding on the right.
    const int64_t outputs = (l + params.stride - 1) / params.stride;
    const int64_t total = std::max<int64_t>(0, (outputs - 1) * params.stride + params.reach() + 1 - l);
    left = total / 2;
    right = total - left;
  } else if (params.padding_rule == PaddingRule::kCausal) {
    left = params.reach();
    right = 0;
  } else if (params.padding_rule == PaddingRule::kValid) {
    left = right = 0;
  }
  g.batch = static_cast<int32_t>(batch);
  g.length = static_cast<int32_t>(length);
  if (l + left + right > kMaxElements) {
    return shape_error("input", format("the padded length L (%) + padLeft (%) + padRight (%) must be at most %",
                                       {length, double(left), double(right), kMost}));
  }
  g.pad_left = static_cast<int32_t>(left);
  g.pad_right = static_cast<int32_t>(right);

  const int64_t pad = std::max(left, right);
  if (params.padding_mode == PaddingMode::kReflect && pad > 0 && pad > l - 1) {
    return shape_error("input", format("reflect padding (%) must be at most L - 1 (%)", {double(pad), double(l - 1)}));
  }
  if (params.padding_mode == PaddingMode::kCircular && pad > l) {
    return shape_error("input", format("circular padding (%) must be at most L (%)", {double(pad), double(l)}));
  }
  if (params.padding_mode == PaddingMode::kReplicate && pad > 0 && l < 1) {
    return shape_error("input", format("replicate padding needs L >= 1, got %", {length}));
  }

  const int64_t out_length =
      params.transposed
          ? (l < 1 ? 0 : (l - 1) * params.stride - left - right + params.reach() + params.output_padding + 1)
          : floor_div(l + left + right - params.reach() - 1, params.stride) + 1;
  if (out_length < 1) return shape_error("input", output_length_text(params, g, out_length));
  if (batch * params.out_channels * static_cast<double>(out_length) > static_cast<double>(kMaxElements)) {
    return shape_error("input", format("output shape (%, %, %) has more than % elements",
                                       {batch, double(params.out_channels), double(out_length), kMost}));
  }
  g.out_length = static_cast<int32_t>(out_length);
  *geometry = g;
  return std::nullopt;
}

Correlation correlation_of(const Params& params, const Geometry& geometry) {
  Correlation correlation{};
  const Dimensions own = params;
  static_cast<Dimensions&>(correlation) = params.transposed ? transposed_dimensions(own) : own;
  correlation.padding_mode = params.padding_mode;
  correlation.dtype = params.dtype;
  correlation.batch = geometry.batch;
  correlation.length = geometry.length;
  correlation.first = -geometry.pad_left;
  correlation.out_length = geometry.out_length;
  if (params.transposed) std::swap(correlation.length, correlation.out_length);
  correlation.out_row = correlation.out_length;
  correlation.out_step = 1;
  return correlation;
}

std::optional<Error> parse_scheme(const std::string& name, InitScheme* scheme) {
  return parse_name("scheme", name, kSchemeNames, scheme);
}

std::optional<Error> check_seed(double seed) {
  if (seed >= 0 && seed < 9007199254740992.0 && seed == std::trunc(seed)) return std::nullopt;
  return option_error("seed", format("seed must be an integer from 0 to 2^53 - 1, got %", {seed}));
}

}  // namespace conv1d
