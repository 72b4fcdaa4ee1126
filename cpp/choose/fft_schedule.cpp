#include "choose/fft_schedule.h"

#include <algorithm>
#include <cmath>

#include "buffer.h"
#include "choose/in_build.h"
#include "integers.h"
#include "methods/fft.h"

namespace conv1d {
namespace {

// Fitted as the constants of cost.cpp.
constexpr double kLevelCycles = 0.75;                    // of a transform, for each complex number and doubling
constexpr double kHalvedCycles = 0.74;                   // more for each number, of sizes that split in two first
constexpr double kCallCycles = 190;                      // for each transform
constexpr double kProductCycles = in_build(0.59, 0.97);  // of two numbers of spectra
constexpr double kCopyCycles = in_build(0.97, 1.1);      // of a sample copied in or out beside its neighbour
constexpr double kPickCycles = 2.8;                      // of one that is picked
constexpr double kLoadCycles = in_build(0.32, 0.06);     // of a number of the taps' spectra beyond kCacheFloats
constexpr double kFarLoadCycles = in_build(1.7, 1.3);    // and beyond kLargeFloats
constexpr double kCacheFloats = 196608;
constexpr double kLargeFloats = 1048576;
// Floats of the windows of the blocks of a piece, when the spectra that they share are in a cache or not.
constexpr double kWindowFloats = 65536;
constexpr double kManyWindowFloats = 131072;
// Blocks of a piece, at most.
constexpr int32_t kMostTogether = 16;
// Cycles of a piece, at most: a run can pause only between pieces.
constexpr double kLongestPieceCycles = 30e6;
// Of a product of the gradient of weights by the definition, and what FFT has to save of it.
constexpr double kGradientProductCycles = in_build(0.16, 0.3);
constexpr double kGradientSpectraCycles = in_build(1.2, 2.0);  // of two numbers of its spectra
constexpr double kGradientWorth = 0.7;
// Floats of the sums of a piece of such a gradient, at most.
constexpr double kGradientSums = 1048576;
constexpr double kAutoSpectra = 33554432;

// Blocks of a piece, as evenly as they go, so that their windows have about `room` when each has `floats`.
int32_t blocks_together(int32_t blocks, double floats, double room) {
  const int32_t most = std::clamp(static_cast<int32_t>(room / floats) / 2 * 2, 2, kMostTogether);
  return std::min(most, round_up(ceil_div(blocks, ceil_div(blocks, most)), 2));
}

double transform_cycles(int64_t size) {
  const int levels = floor_log2(size / 2);
  return static_cast<double>(size) / 2 * (kLevelCycles * levels + (levels % 2 == 0 ? 0 : kHalvedCycles)) + kCallCycles;
}

}  // namespace

int32_t fft_size_of_gradient(const Correlation& layer, int32_t channels, bool asked_for) {
  if (layer.stride != 1 || layer.dilation != 1) return 0;
  const double images = layer.batch;
  const double inputs = layer.group_in();
  const double outputs = layer.group_out();
  const double parts = std::ceil(inputs / channels);
  const double products = images * layer.out_length * inputs * outputs * layer.kernel_size;
  double least = asked_for ? HUGE_VAL : kGradientWorth * kGradientProductCycles * products;
  int32_t best = 0;
  for (int64_t size = Fft::kLeastSize; size <= Fft::kMostSize; size *= 2) {
    if (size < 2 * int64_t{layer.kernel_size}) continue;
    const auto floats = static_cast<double>(size);
    if (floats * outputs * std::min<double>(inputs, channels) > kGradientSums) break;
    const double blocks = images * std::ceil(layer.out_length / (floats - layer.kernel_size + 1));
    const double transforms = inputs + parts * outputs;
    const double cycles = blocks * transforms * (transform_cycles(size) + kPickCycles * floats) +
                          inputs * outputs * (blocks * kGradientSpectraCycles * floats / 2 + transform_cycles(size));
    if (cycles >= least) continue;
    least = cycles;
    best = static_cast<int32_t>(size);
  }
  return best;
}

double most_spectra(bool asked_for) { return asked_for ? static_cast<double>(kMaxElements) : kAutoSpectra; }

FftCut cut_for_fft(const Correlation& layer, int threads, double most_spectra) {
  FftCut cut{};
  cut.phases = std::min(layer.kernel_size, layer.phases());
  cut.lanes = layer.phase_dilation();
  cut.taps = ceil_div(layer.kernel_size, cut.phases);
  const int32_t lanes = std::min(cut.lanes, layer.out_length);
  const int32_t row_outputs = ceil_div(layer.out_length, cut.lanes);
  const double rows = static_cast<double>(layer.group_in()) * cut.phases;
  const double pick = layer.stride == 1 && cut.lanes == 1 ? kCopyCycles : kPickCycles;
  const double copy = pick * layer.share_of_samples();
  // The size depends on layer and length alone, so that outputs are the same in any batch and with any number of
  // threads.
  double least = 0;
  for (int64_t size = Fft::kLeastSize; size <= Fft::kMostSize; size *= 2) {
    if (size < cut.taps) continue;
    const double floats = rows * layer.out_channels * static_cast<double>(size);
    if (floats > most_spectra) break;
    const auto outputs = static_cast<int32_t>(std::min<int64_t>(size - cut.taps + 1, row_outputs));
    const int32_t blocks = ceil_div(row_outputs, outputs);
    const int32_t together = rows * layer.group_out() > 1
                                 ? blocks_together(lanes * blocks, rows * static_cast<double>(size),
                                                   floats > kLargeFloats ? kManyWindowFloats : kWindowFloats)
                                 : 1;
    const double half = static_cast<double>(size) / 2;
    const double fft = transform_cycles(size);
    const double load = (floats > kLargeFloats ? kFarLoadCycles : floats > kCacheFloats ? kLoadCycles : 0) / together;
    const double in = rows * (fft + copy * static_cast<double>(size));
    const double out = layer.group_out() * (rows * half * (kProductCycles + load) + fft + pick * outputs);
    const double cycles = static_cast<double>(lanes) * blocks * (in + out);
    if (cut.size > 0 && cycles >= least) continue;
    least = cycles;
    cut.size = static_cast<int32_t>(size);
    cut.outputs = outputs;
    cut.blocks = blocks;
    cut.together = together;
    cut.cycles = cycles * layer.batch * layer.groups;
    const double pieces = layer.groups * std::ceil(static_cast<double>(layer.batch) * lanes * blocks / together);
    const double parts = std::max(together * (in + out) / kLongestPieceCycles, threads > 1 ? 2 * threads / pieces : 1);
    cut.oc_parts = static_cast<int32_t>(std::clamp(std::ceil(parts), 1.0, (layer.group_out() + 1) / 2.0));
    if (outputs == row_outputs) break;
  }
  return cut;
}

}  // namespace conv1d
