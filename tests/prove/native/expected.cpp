#include "expected.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "bounds.h"
#include "exact.h"
#include "half.h"
#include "reference.h"

namespace conv1d {
namespace {

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// What a layer makes of a bias alone.
double activated_bias(const Draw& draw, int32_t channel) {
  float bias = draw.bias.empty() ? 0 : draw.bias[channel];
  activate(draw.params.finish, channel, &bias, 1);
  if (draw.params.dtype == DType::kFloat16) round_to_halves(&bias, 1);
  return bias;
}

double products(const Draw& draw) { return static_cast<double>(draw.params.kernel_size) * draw.params.group_in(); }

}  // namespace

Expected::Expected(const Draw& draw)
    : draw_(draw), quiet_(widened(draw.quiet)), weight_(widened(draw.weight)), bias_(widened(draw.bias)) {
  const auto input = widened(draw.input);
  values_ = definition(input, weight_, bias_, &bounds_);
  const std::vector<double> ones(weight_.size(), 1);
  const auto count = [&](auto counts) {
    std::vector<double> marks(input.size());
    for (size_t i = 0; i < marks.size(); ++i) marks[i] = counts(i) ? 1 : 0;
    return definition(marks, ones, {});
  };
  sounding_ = count([&](size_t i) { return input[i] != 0; });
  quiet_bounds_ = bounds_;
  seen_.resize(values_.size());
  if (draw.stands_out) {
    definition(quiet_, weight_, bias_, &quiet_bounds_);
    seen_ = count([&](size_t i) { return draw.input[i] != draw.quiet[i]; });
  }
  for (size_t i = 0; i < values_.size(); ++i) {
    const int32_t channel = channel_of(i);
    const Finish& finish = draw.params.finish;
    values_[i] = sounding_[i] == 0 ? activated_bias(draw, channel)
                                   : exact_activation(finish.activation, finish.parameters_of(channel), values_[i]);
    if (!std::isfinite(bounds_[i])) {  // a limit, which comes out as the dtype has it
      auto limit = static_cast<float>(values_[i]);
      if (draw.params.dtype == DType::kFloat16) round_to_halves(&limit, 1);
      values_[i] = limit;
    }
  }
}

std::vector<double> Expected::definition(const std::vector<double>& input, const std::vector<double>& weight,
                                         const std::vector<double>& bias, std::vector<double>* bounds) const {
  const Geometry& g = draw_.geometry;
  std::vector<double> output(static_cast<size_t>(g.batch) * draw_.params.out_channels * g.out_length);
  if (bounds != nullptr) bounds->resize(output.size());
  reference_conv1d(draw_.params, g, input.data(), weight.data(), bias.empty() ? nullptr : bias.data(), output.data(),
                   bounds == nullptr ? nullptr : bounds->data());
  return output;
}

std::vector<double> Expected::allowed(const std::vector<double>& quiet, const std::vector<double>& loud) const {
  const double rounding = (products(draw_) + 2) * 0x1p-24;
  std::vector<double> result(values_.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (sounding_[i] == 0 || !std::isfinite(values_[i]) || !std::isfinite(bounds_[i])) continue;
    double sum = rounding * quiet_bounds_[i];
    if (!quiet.empty()) sum = std::max(sum, quiet[i]);
    if (seen_[i] > 0) sum += rounding * bounds_[i] + (loud.empty() ? 0 : loud[i]);
    result[i] = output_tolerance(draw_.params, channel_of(i), values_[i], sum);
  }
  return result;
}

template <class Bounds>
std::vector<double> Expected::allowed_transform(const Bounds& bounds) const {
  if (!draw_.is_passage) return allowed(bounds(quiet_), {});
  auto passage = widened(draw_.input);
  for (double& x : passage) x = std::isfinite(x) ? x : 0;
  return allowed(bounds(quiet_), bounds(passage));
}

std::vector<double> Expected::allowed_toom_cook() const {
  return allowed_transform([&](const std::vector<double>& signal) {
    auto sums = Sums{draw_.params, draw_.geometry, signal, weight_, bias_}.of_tiles();
    for (double& sum : sums) sum *= 0x1p-18;
    return sums;
  });
}

std::vector<double> Expected::allowed_fft(const FftCut& cut) const {
  return allowed_transform([&](const std::vector<double>& signal) {
    auto sums = Sums{draw_.params, draw_.geometry, signal, weight_, bias_}.of_blocks(cut);
    for (double& sum : sums) sum *= 0x1p-21 * std::log2(cut.size) + 0x1p-24 * draw_.params.group_in();
    return sums;
  });
}

std::vector<double> Expected::allowed_partitioned(int32_t partition) const {
  return allowed_transform([&](const std::vector<double>& signal) {
    auto sums = Sums{draw_.params, draw_.geometry, signal, weight_, bias_}.of_partitions(partition);
    const double blocks = partition + static_cast<double>(draw_.params.kernel_size) / partition;
    for (double& sum : sums) {
      sum *= 0x1p-21 * std::log2(2.0 * partition) + 0x1p-24 * blocks * draw_.params.group_in();
    }
    return sums;
  });
}

std::vector<double> Expected::for_other_builds(std::vector<double> allowed) const {
  if (draw_.params.finish.activation == Activation::kNone) return allowed;
  for (size_t i = 0; i < allowed.size(); ++i) {
    if (sounding_[i] == 0) allowed[i] = output_tolerance(draw_.params, channel_of(i), values_[i], 0);
  }
  return allowed;
}

size_t Expected::spared() const { return draw_.stands_out ? static_cast<size_t>(std::ranges::count(seen_, 0)) : 0; }

std::string find_mismatch(const Draw& draw, const std::vector<double>& values, const std::vector<double>& allowed,
                          const std::vector<float>& got, double* worst) {
  if (got.size() != values.size()) {
    return std::to_string(got.size()) + " outputs in place of " + std::to_string(values.size());
  }
  // From where rounding to nearest gives an infinity.
  const double overflow = draw.params.dtype == DType::kFloat16 ? 65520 : 0x1p128 - 0x1p103;
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = got[i];
    if (value == values[i] || (std::isnan(value) && std::isnan(values[i]))) continue;
    if (std::isinf(value) && std::abs(values[i]) + allowed[i] >= overflow && value * values[i] > 0) continue;
    const double error = std::abs(value - values[i]);
    if (error <= allowed[i]) {
      *worst = std::max(*worst, error / allowed[i]);
      continue;
    }
    std::array<char, 160> text{};
    std::snprintf(text.data(), text.size(), "output %zu is %.9g, not %.9g +- %.3g", i, value, values[i], allowed[i]);
    return text.data();
  }
  return {};
}

}  // namespace conv1d
