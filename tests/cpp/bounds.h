// What the errors of the transforms are relative to: README, "Exactness", for any layer and signal.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "choose/fft_schedule.h"
#include "choose/toom_schedule.h"
#include "kernels/toom_cook_f32.h"
#include "operator/padding.h"
#include "options/params.h"
#include "passes/forward.h"

namespace conv1d {

// How a prepared layer is cut for the FFT.
inline FftCut cut_of(const Forward& forward) {
  const Params& p = forward.graph().steps[0].layer->params();
  return cut_for_fft(correlation_of(p, forward.geometry()), 1, most_spectra(p.algorithm == Algorithm::kFft));
}

// A layer and its signal as float64: the bounds of every output follow, (batch, out_channels, out_length).
struct Sums {
  const Params& params;
  const Geometry& geometry;
  const std::vector<double>& input;   // (batch, in_channels, length)
  const std::vector<double>& weight;  // (out_channels, group_in, kernel_size)
  const std::vector<double>& bias;    // (out_channels), or empty

  size_t outputs() const {
    return static_cast<size_t>(geometry.batch) * params.out_channels * static_cast<size_t>(geometry.out_length);
  }

  // Of toom_cook.h: the sum of |w| |x| and |b|, with each |x| the largest that the output's tile meets in its channel.
  std::vector<double> of_tiles() const {
    const ToomCut cut = cut_taps(params);
    const int32_t phases = std::min(cut.phases, params.kernel_size);
    const int32_t reach = (params.kernel_size + cut.phases - 1) / cut.phases + 7;
    std::vector<double> bounds(outputs());
    const auto magnitudes = weights_of_phases(phases, [](double sum, double w) { return sum + std::abs(w); });
    std::vector<double> largest(static_cast<size_t>(params.group_in()) * phases);
    for_each_row([&](int32_t image, int32_t group) {
      for (int32_t q = 0; q < std::min(cut.dilation, geometry.out_length); ++q) {
        for (int32_t first = q; first < geometry.out_length; first += 4 * cut.dilation) {
          for (int32_t i = 0; i < static_cast<int32_t>(largest.size()); ++i) {
            largest[i] = 0;
            for (int32_t j = 0; j < reach; ++j) {
              const int64_t position =
                  (int64_t{first} + int64_t{j} * cut.dilation) * params.stride + int64_t{i % phases} * params.dilation;
              largest[i] = std::max(largest[i], std::abs(sample(image, group, i / phases, position)));
            }
          }
          for (int32_t t = first; t < std::min(geometry.out_length, first + 4 * cut.dilation); t += cut.dilation) {
            add_products(image, group, t, magnitudes, largest, &bounds);
          }
        }
      }
    });
    return bounds;
  }

  // Of fft_convolution.h: the sum over channels of |w| |x| and |b|, with the norms of the taps and of the block's
  // window.
  std::vector<double> of_blocks(const FftCut& cut) const {
    std::vector<double> bounds(outputs());
    const auto norms = norms_of_weights();
    std::vector<double> windows(params.group_in());
    for_each_row([&](int32_t image, int32_t group) {
      for (int32_t q = 0; q < std::min(cut.lanes, geometry.out_length); ++q) {
        for (int32_t first = q; first < geometry.out_length; first += cut.outputs * cut.lanes) {
          const int32_t end = std::min(geometry.out_length, first + cut.outputs * cut.lanes);
          const int32_t count = (end - 1 - first) / cut.lanes + 1;
          for (int32_t c = 0; c < params.group_in(); ++c) {
            double squares = 0;
            for (int32_t phase = 0; phase < cut.phases; ++phase) {
              const int32_t taps = (params.kernel_size - 1 - phase) / cut.phases + 1;
              for (int32_t j = 0; j < count + taps - 1; ++j) {
                const double x = sample(
                    image, group, c,
                    (int64_t{first} + int64_t{j} * cut.lanes) * params.stride + int64_t{phase} * params.dilation);
                squares += x * x;
              }
            }
            windows[c] = std::sqrt(squares);
          }
          for (int32_t t = first; t < end; t += cut.lanes) add_products(image, group, t, norms, windows, &bounds);
        }
      }
    });
    return bounds;
  }

  // Of partitioned.h, for partitions of B samples: the same with the samples that the taps reach and 2 B to either
  // side.
  std::vector<double> of_partitions(int32_t partition) const {
    std::vector<double> bounds(outputs());
    const auto norms = norms_of_weights();
    const int64_t padded = int64_t{geometry.pad_left} + geometry.length + geometry.pad_right;
    std::vector<double> squares(static_cast<size_t>(params.group_in()) * (padded + 1));  // of the first so many samples
    std::vector<double> windows(params.group_in());
    for_each_row([&](int32_t image, int32_t group) {
      for (int32_t c = 0; c < params.group_in(); ++c) {
        double* row = &squares[static_cast<size_t>(c) * (padded + 1)];
        for (int64_t i = 0; i < padded; ++i) row[i + 1] = row[i] + std::pow(sample(image, group, c, i), 2);
      }
      for (int32_t t = 0; t < geometry.out_length; ++t) {
        const int64_t at = int64_t{t} * params.stride;
        const int64_t begin = std::max<int64_t>(0, at - int64_t{2} * partition);
        const int64_t end = std::min(padded, at + params.reach() + 1 + int64_t{2} * partition);
        for (int32_t c = 0; c < params.group_in(); ++c) {
          const double* row = &squares[static_cast<size_t>(c) * (padded + 1)];
          windows[c] = std::sqrt(row[end] - row[begin]);
        }
        add_products(image, group, t, norms, windows, &bounds);
      }
    });
    return bounds;
  }

 private:
  template <class F>
  void for_each_row(const F& f) const {
    for (int32_t image = 0; image < geometry.batch; ++image) {
      for (int32_t group = 0; group < params.groups; ++group) f(image, group);
    }
  }

  // Of the padded signal.
  double sample(int32_t image, int32_t group, int32_t channel, int64_t position) const {
    const int64_t at = source_index(params.padding_mode, position - geometry.pad_left, geometry.length);
    const int64_t row = int64_t{image} * params.in_channels + int64_t{group} * params.group_in() + channel;
    return at < 0 ? 0 : input[row * geometry.length + at];
  }

  // (out_channels, group_in, phases): what `fold` makes of the taps of each phase.
  template <class Fold>
  std::vector<double> weights_of_phases(int32_t phases, const Fold& fold) const {
    std::vector<double> folded(static_cast<size_t>(params.out_channels) * params.group_in() * phases);
    for (size_t i = 0; i < weight.size(); ++i) {
      double& sum = folded[i / params.kernel_size * phases + i % params.kernel_size % phases];
      sum = fold(sum, weight[i]);
    }
    return folded;
  }

  std::vector<double> norms_of_weights() const {
    auto norms = weights_of_phases(1, [](double sum, double w) { return sum + w * w; });
    for (double& norm : norms) norm = std::sqrt(norm);
    return norms;
  }

  void add_products(int32_t image, int32_t group, int32_t t, const std::vector<double>& weights,
                    const std::vector<double>& samples, std::vector<double>* bounds) const {
    for (int32_t oc = group * params.group_out(); oc < (group + 1) * params.group_out(); ++oc) {
      double sum = bias.empty() ? 0 : std::abs(bias[oc]);
      for (size_t i = 0; i < samples.size(); ++i) sum += weights[oc * samples.size() + i] * samples[i];
      (*bounds)[(static_cast<size_t>(image) * params.out_channels + oc) * geometry.out_length + t] = sum;
    }
  }
};

}  // namespace conv1d
