// The gradient of weights of long kernels by FFT, of layers with stride and dilation 1.
//
// Each row of x and of gy is cut into blocks of outputs: of x a window of all samples that those meet, of gy the
// outputs alone. Spectra of N samples (fft.h) of the two, multiplied and summed over all blocks, are the spectrum of
// the gradient for an input and an output channel:
//
//     gw[k] = sum over t: gy[t] * x[t + k]
//
// is what x times gy, whose coefficient t is that of z^-t = -z^(N - t), has at z^k. An error depends on the whole
// block, so where samples stand out (evenness.h) the channels are left to the definition.
#pragma once

#include <algorithm>

#include "choose/weight_gradient_schedule.h"
#include "integers.h"
#include "methods/direct_weight_gradient.h"
#include "methods/fft.h"

namespace conv1d {

class FftWeightGradient final : public WeightGradient {
 public:
  FftWeightGradient(const Correlation& layer, const WeightGradientSchedule& schedule)
      : layer_(layer), schedule_(schedule), direct_(layer, schedule) {}

  [[nodiscard]] bool lay_out() { return direct_.lay_out() && fft_.prepare(schedule_.fft_size); }

  int threads() const override { return schedule_.threads; }
  int32_t pieces() const override { return direct_.pieces(); }
  size_t scratch_floats() const override;
  size_t sum_floats() const override { return direct_.sum_floats(); }
  void run(int32_t begin, int32_t end, const Arrays& arrays, float* scratch) const override;
  void finish(const Arrays& arrays) const override { direct_.finish(arrays); }

 private:
  // Blocks whose products are summed in one go.
  static constexpr int32_t kTogether = 8;

  // Outputs of a block, as even as they go.
  int32_t outputs() const { return ceil_div(layer_.out_length, blocks_of_row()); }
  int32_t blocks_of_row() const { return ceil_div(layer_.out_length, schedule_.fft_size - layer_.kernel_size + 1); }
  // Floats from a spectrum to the next: a power of two apart they would compete for the same few lines of the cache.
  size_t pitch() const { return static_cast<size_t>(schedule_.fft_size) + 16; }
  // False where samples stand out.
  bool run_piece(int32_t part, const Arrays& arrays, float* scratch) const;
  bool transform_input(int32_t channel, int32_t block, const float* x, float* spectrum) const;
  bool transform_gradient(int32_t channel, int32_t block, const float* gy, float* spectrum) const;

  Correlation layer_;
  WeightGradientSchedule schedule_;
  DirectWeightGradient direct_;
  Fft fft_;
};

}  // namespace conv1d
