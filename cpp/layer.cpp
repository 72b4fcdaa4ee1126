#include "layer.h"

#include <algorithm>
#include <cstring>

namespace conv1d {

bool Layer::allocate() {
  const auto weights = static_cast<size_t>(params_.weight_size());
  const auto outputs = static_cast<size_t>(params_.out_channels);
  const auto element = static_cast<size_t>(element_bytes(params_.dtype));
  if (!weight_.reserve(weights * element) || !bias_.reserve(outputs * element) || !wide_bias_.reserve(outputs) ||
      !(params_.transposed ? allocate_phases() : forms_.reserve_panels(params_))) {
    return false;
  }
  std::memset(weight_.data(), 0, weights * element);
  std::memset(bias_.data(), 0, outputs * element);
  return true;
}

bool Layer::allocate_phases() {
  Correlation forward{};
  static_cast<Dimensions&>(forward) = transposed_dimensions(params_);
  forward.first = -params_.pad_left;
  if (!phases_.make(static_cast<size_t>(params_.phases()))) return false;
  size_t count = 0;
  for (int32_t number = 0; number < params_.phases(); ++number) {
    const auto transposed = transposed_of(forward, number, 0, params_.stride);
    if (!transposed) continue;
    Phase& phase = phases_[count];
    phase.number = number;
    phase.transposed = *transposed;
    if (!phase.forms.reserve_panels(transposed->correlation)) return false;
    ++count;
  }
  phases_.shorten(count);
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
  for (Phase& phase : phases()) phase.forms.changed();
  bias_changed_ = true;
  ++version_;
}

const float* Layer::wide_bias() {
  if (bias_changed_) {
    widen(params_.dtype, bias_.data(), wide_bias_.data(), static_cast<size_t>(params_.out_channels));
    bias_changed_ = false;
  }
  return wide_bias_.data();
}

Weights Layer::weights() {
  return {.view = view_of(params_, params_.dtype, weight_.data()), .bias = wide_bias(), .forms = &forms_};
}

Weights Layer::weights(Phase* phase) {
  if (phase == nullptr) return weights();
  const Dimensions forward = transposed_dimensions(params_);
  return {.view = transposed_view(view_of(forward, params_.dtype, weight_.data()), forward, phase->transposed),
          .bias = wide_bias(),
          .forms = &phase->forms};
}

}  // namespace conv1d
