// What a drawn layer should give, and how far from it each algorithm may be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "draw.h"
#include "methods/fft_convolution.h"

namespace conv1d {

class Expected {
 public:
  explicit Expected(const Draw& draw);

  // Outputs (batch, out_channels, out_length), the activation applied.
  const std::vector<double>& values() const { return values_; }

  // How far each output may lie from values(); 0 where it is to be exact: where it is not finite, and where its window
  // is silent, so that it is the activated bias. A sample that stands out counts for the outputs alone that see it.
  std::vector<double> allowed_direct() const { return allowed({}, {}); }
  std::vector<double> allowed_toom_cook() const;
  std::vector<double> allowed_fft(const FftCut& cut) const;
  // Of a stream whose kernel is partitioned.
  std::vector<double> allowed_partitioned(int32_t partition) const;

  // `allowed` for another build, whose activation of a silent output's bias may be rounded otherwise.
  std::vector<double> for_other_builds(std::vector<double> allowed) const;

  // Outputs that see no sample that stands out, of a signal that has some.
  size_t spared() const;

 private:
  int32_t channel_of(size_t output) const {
    return static_cast<int32_t>(output / draw_.geometry.out_length % draw_.params.out_channels);
  }
  std::vector<double> definition(const std::vector<double>& input, const std::vector<double>& weight,
                                 const std::vector<double>& bias, std::vector<double>* bounds = nullptr) const;
  // `bounds(signal)` is how far the sums of a transform may be off.
  template <class Bounds>
  std::vector<double> allowed_transform(const Bounds& bounds) const;
  // `quiet` of a signal without what stands out; outputs that see some of it may be `loud` farther off.
  std::vector<double> allowed(const std::vector<double>& quiet, const std::vector<double>& loud) const;

  const Draw& draw_;
  std::vector<double> quiet_;
  std::vector<double> weight_;
  std::vector<double> bias_;
  std::vector<double> values_;
  std::vector<double> bounds_;        // of each sum, what stands out included
  std::vector<double> quiet_bounds_;  // and without it
  std::vector<double> seen_;          // samples that stand out in each output's window
  std::vector<double> sounding_;      // samples other than 0 there
};

// The first output that lies farther from its value than it may; nothing when all are near enough. `worst` becomes the
// largest share of what is allowed that any of them takes.
std::string find_mismatch(const Draw& draw, const std::vector<double>& values, const std::vector<double>& allowed,
                          const std::vector<float>& got, double* worst);

}  // namespace conv1d
