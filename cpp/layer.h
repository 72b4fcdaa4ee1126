// A layer as its user made it: options, weight and bias. Handles, streams and passes share it.
#pragma once

#include <span>

#include "array.h"
#include "buffer.h"
#include "operator/finish.h"
#include "options/params.h"
#include "packed_forms.h"

namespace conv1d {

class Layer {
 public:
  explicit Layer(const Params& params) : params_(params) {}

  // Makes room for weight, bias and panels, all zero. False when memory is short; the layer is of no use then.
  [[nodiscard]] bool allocate();

  // Gives each output channel its first parameter of the activation. When memory is short, all is as before.
  [[nodiscard]] bool give_channels(std::span<const double> parameters);

  const Params& params() const { return params_; }
  const Finish& finish() const { return params_.finish; }

  // Weight (groups, group_out, group_in, kernel_size), or (groups, group_in, group_out, kernel_size) of a transposed
  // layer, and bias (out_channels; null where there is none), params().dtype. Whoever writes there calls changed()
  // afterwards; packing happens at the next run.
  void* weight() { return weight_.data(); }
  void* bias() { return params_.bias ? bias_.data() : nullptr; }
  void changed();
  // Counts the changes, from 1 on.
  uint32_t version() const { return version_; }

  // What a transposed layer is made of: convolutions with stride 1, one for each remainder of output positions that
  // meets taps. `transposed` is that of output positions [0, stride).
  struct Phase {
    int32_t number;
    TransposedPhase transposed;
    PackedForms forms;
  };
  std::span<Phase> phases() { return phases_; }

  PackedForms& forms() { return forms_; }
  // As methods read them: the bias as floats, zeros where there is none. Of a phase, or of a layer that has none.
  Weights weights();
  Weights weights(Phase* phase);

 private:
  bool allocate_phases();
  const float* wide_bias();

  Params params_;
  Buffer<uint8_t> weight_;
  Buffer<uint8_t> bias_;
  Buffer<float> wide_bias_;
  Buffer<float> channels_;  // of the activation, see Finish
  bool bias_changed_ = true;
  uint32_t version_ = 1;
  PackedForms forms_;
  Array<Phase> phases_;
};

}  // namespace conv1d
