// The weight and bias of one layer, and the forms in which kernels read them.
#pragma once

#include <array>
#include <optional>

#include "buffer.h"
#include "choose/kernel_table.h"
#include "options/params.h"

namespace conv1d {

class Weights {
 public:
  explicit Weights(const Params& params) : params_(params) {}

  // Makes room for them and their panels, all zero. False when memory is short; they are of no use then.
  [[nodiscard]] bool allocate();

  const Params& params() const { return params_; }

  // Weight (groups, group_out, group_in, kernel_size) and bias (out_channels), params().dtype. Whoever writes there
  // calls changed() afterwards; packing happens at the next run.
  void* weight() { return weight_.data(); }
  const void* weight() const { return weight_.data(); }
  void* bias() { return params_.bias ? bias_.data() : nullptr; }
  void changed();
  // Counts the changes, from 1 on.
  uint32_t version() const { return version_; }

  // The bias as floats, zeros where there is none.
  const float* wide_bias();

  // The weights as panels (pack.h) for tiles of `vectors`. It packs anew when `vectors` are others than the last time,
  // unless keep_both_panels() found room for both.
  [[nodiscard]] bool keep_both_panels();
  const float* panels(Vectors vectors);

  // Room for the form that a transform gives them.
  [[nodiscard]] bool reserve_transformed(Algorithm algorithm, size_t floats);
  // That form; `make(floats)` fills it, unless it holds variant `key` of these weights already.
  template <class Make>
  const float* transformed(Algorithm algorithm, int32_t key, const Make& make) {
    Form& form = form_of(algorithm);
    if (form.key != key) {
      make(form.floats.data());
      form.key = key;
    }
    return form.floats.data();
  }

 private:
  struct Form {
    Buffer<float> floats;
    std::optional<int32_t> key;  // which one it holds, if any
  };

  Form& form_of(Algorithm algorithm) { return forms_[algorithm == Algorithm::kFft ? 3 : 2]; }

  Params params_;
  Buffer<uint8_t> weight_;
  Buffer<uint8_t> bias_;
  Buffer<float> wide_bias_;
  bool bias_changed_ = true;
  uint32_t version_ = 1;
  // Panels, the second if there is one for kAlongChannels alone; of Toom-Cook; of the FFT.
  std::array<Form, 4> forms_;
};

}  // namespace conv1d
