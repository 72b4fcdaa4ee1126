// Blocks of a transform computed by the definition after all: their samples are too uneven to share a rounding error.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "operator/correlation.h"
#include "operator/finish.h"
#include "packed_forms.h"

namespace conv1d {

// Outputs begin, begin + D, ... of a row, D = phase_dilation(), have their taps side by side in the phases of a channel
// (see Dimensions).
class Definition {
 public:
  // `count` outputs, D apart, of channels [oc_begin, oc_end) of one group of one image.
  struct Part {
    int32_t image;
    int32_t group;
    int32_t oc_begin;
    int32_t oc_end;
    int32_t begin;
    int32_t count;
  };

  Definition(const Correlation& layer, const Finish& finish) : layer_(layer), finish_(finish) {}

  // Makes ready for parts of up to `most` outputs. False when memory is short.
  [[nodiscard]] bool lay_out(int32_t most);
  // Floats of scratch memory that run() needs.
  size_t scratch_floats() const { return scratch_floats_; }
  // Called before run(), by one thread.
  void pack(const Weights& weights);

  // Computes a part of `output` from `input`, as Method::run() does; every output is the sum that Direct forms.
  void run(const Part& part, const void* input, void* output, float* scratch) const;

  // The samples of one phase of a channel that those outputs of an image meet: phase_taps(phase) + count - 1.
  void copy_row(int32_t image, int32_t channel, int32_t phase, int32_t begin, int32_t count, const void* input,
                float* row) const;
  int32_t phases() const { return std::min(layer_.kernel_size, layer_.phases()); }
  int32_t phase_taps(int32_t phase) const { return (layer_.kernel_size - 1 - phase) / phases() + 1; }

 private:
  Correlation layer_;
  Finish finish_;
  int32_t block_ = 0;        // outputs computed from one packed input
  size_t pitch_ = 0;         // of its rows
  Buffer<int32_t> offsets_;  // where each tap reads, from an output's position on
  size_t scratch_floats_ = 0;
  const float* panels_ = nullptr;
  const float* bias_ = nullptr;
};

}  // namespace conv1d
