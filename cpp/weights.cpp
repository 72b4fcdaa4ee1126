#include "weights.h"

#include <cstring>

#include "operator/pack.h"

namespace conv1d {

bool Weights::allocate() {
  const auto weights = static_cast<size_t>(params_.weight_size());
  const auto outputs = static_cast<size_t>(params_.out_channels);
  const auto element = static_cast<size_t>(params_.element_bytes());
  if (!weight_.reserve(weights * element) || !bias_.reserve(outputs * element) || !wide_bias_.reserve(outputs) ||
      !forms_[0].floats.reserve(weights)) {
    return false;
  }
  std::memset(weight_.data(), 0, weights * element);
  std::memset(bias_.data(), 0, outputs * element);
  return true;
}

void Weights::changed() {
  for (Form& form : forms_) form.key.reset();
  bias_changed_ = true;
  ++version_;
}

const float* Weights::wide_bias() {
  if (bias_changed_) {
    widen(params_.dtype, bias_.data(), wide_bias_.data(), static_cast<size_t>(params_.out_channels));
    bias_changed_ = false;
  }
  return wide_bias_.data();
}

bool Weights::keep_both_panels() { return forms_[1].floats.reserve(static_cast<size_t>(params_.weight_size())); }

const float* Weights::panels(Vectors vectors) {
  const bool second = vectors == Vectors::kAlongChannels && forms_[1].floats.size() > 0;
  Form& form = forms_[second ? 1 : 0];
  const auto key = static_cast<int32_t>(vectors);
  if (form.key != key) {
    pack_weights(params_, vectors, weight_.data(), form.floats.data());
    form.key = key;
  }
  return form.floats.data();
}

bool Weights::reserve_transformed(Algorithm algorithm, size_t floats) {
  Form& form = form_of(algorithm);
  if (floats <= form.floats.size()) return true;
  if (!form.floats.reserve(floats)) return false;
  form.key.reset();
  return true;
}

}  // namespace conv1d
