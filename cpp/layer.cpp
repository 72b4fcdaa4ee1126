#include "layer.h"

#include <algorithm>
#include <cstring>

namespace conv1d {

bool Layer::allocate() {
  const auto weights = static_cast<size_t>(params_.weight_size());
  const auto outputs = static_cast<size_t>(params_.out_channels);
  const auto element = static_cast<size_t>(element_bytes(params_.dtype));
  if (!weight_.reserve(weights * element) || !bias_.reserve(outputs * element) || !wide_bias_.reserve(outputs) ||
      !forms_.reserve_panels(params_)) {
    return false;
  }
  std::memset(weight_.data(), 0, weights * element);
  std::memset(bias_.data(), 0, outputs * element);
  return true;
}

bool Layer::give_channels(std::span<const double> parameters) {
  if (!channels_.reserve(parameters.size())) return false;
  std::ranges::transform(parameters, channels_.data(), [](double value) { return static_cast<float>(value); });
  params_.finish.channels = channels_.data();
  return true;
}

void Layer::changed() {
  forms_.changed();
  bias_changed_ = true;
  ++version_;
}

Weights Layer::weights() {
  if (bias_changed_) {
    widen(params_.dtype, bias_.data(), wide_bias_.data(), static_cast<size_t>(params_.out_channels));
    bias_changed_ = false;
  }
  return {.view = view_of(params_, params_.dtype, weight_.data()), .bias = wide_bias_.data(), .forms = &forms_};
}

}  // namespace conv1d
