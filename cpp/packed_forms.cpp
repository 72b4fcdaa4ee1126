#include "packed_forms.h"

namespace conv1d {

const float* PackedForms::panels(const Dimensions& layer, Vectors vectors, const WeightView& weights) {
  Form& form = vectors != Vectors::kAlongTime && channel_panels_.has_room() ? channel_panels_ : panels_;
  return form.get(static_cast<int32_t>(vectors), [&](float* panels) { pack_weights(layer, vectors, weights, panels); });
}

void PackedForms::changed() {
  for (Form* form : {&panels_, &channel_panels_, &toom_cook_, &spectra_}) form->forget();
}

}  // namespace conv1d
