// The forms in which methods read weights.
#pragma once

#include <optional>

#include "buffer.h"
#include "operator/pack.h"

namespace conv1d {

// Each is made when it is first asked for, and again after a change.
class PackedForms {
 public:
  // A form that a transform gives the weights, of which there are variants.
  class Form {
   public:
    [[nodiscard]] bool reserve(size_t floats) {
      if (floats <= floats_.size()) return true;
      if (!floats_.reserve(floats)) return false;
      key_.reset();
      return true;
    }
    bool has_room() const { return floats_.size() > 0; }
    void forget() { key_.reset(); }
    // Variant `key`; `make(floats)` fills it where it is not there yet.
    template <class Make>
    const float* get(int32_t key, const Make& make) {
      if (key_ != key) {
        make(floats_.data());
        key_ = key;
      }
      return floats_.data();
    }

   private:
    Buffer<float> floats_;
    std::optional<int32_t> key_;  // which one it holds, if any
  };

  // Room for panels (operator/pack.h). They are packed anew when `vectors` are others than the last time, unless
  // keep_both_panels() found room for both.
  [[nodiscard]] bool reserve_panels(const Dimensions& layer) { return panels_.reserve(size_of(layer)); }
  [[nodiscard]] bool keep_both_panels(const Dimensions& layer) { return channel_panels_.reserve(size_of(layer)); }
  const float* panels(const Dimensions& layer, Vectors vectors, const WeightView& weights);

  Form& toom_cook() { return toom_cook_; }
  Form& spectra() { return spectra_; }

  void changed();

 private:
  static size_t size_of(const Dimensions& layer) { return static_cast<size_t>(layer.weight_size()); }

  Form panels_;
  Form channel_panels_;  // for vectors that lie otherwise than along time, where both are kept
  Form toom_cook_;
  Form spectra_;
};

// What a method reads of a layer. `bias` has a float for each output channel.
struct Weights {
  WeightView view;
  const float* bias;
  PackedForms* forms;
};

}  // namespace conv1d
