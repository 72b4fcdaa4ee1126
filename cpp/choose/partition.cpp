#include "choose/partition.h"

#include <algorithm>

#include "choose/fft_schedule.h"

namespace conv1d {
namespace {

constexpr int32_t kLeastPartition = 16;
constexpr int32_t kMostPartition = 8192;
constexpr double kTapCycles = 0.15;     // of a tap of the direct kernels
constexpr double kShortTapCycles = 4;   // of one where a few short rows do not hide a madd's latency, over their length
constexpr double kProductCycles = 0.8;  // of a product of spectra
constexpr double kTransformCycles = 3.5;  // of a transform, for each sample; more for short ones,
constexpr double kTransformCall = 32;     // as if they had this many more samples
constexpr double kWorth = 0.7;            // what partitions cost must be below this share of what they save

}  // namespace

int32_t first_head_tap(const Dimensions& layer, int32_t partition) {
  const int64_t beyond = layer.reach() - partition;
  return beyond < 0 ? 0 : static_cast<int32_t>(beyond / layer.dilation) + 1;
}

int32_t choose_partition(const Params& params, int32_t longest) {
  const bool asked_for = params.algorithm == Algorithm::kFft;
  if (!asked_for && (params.algorithm != Algorithm::kAuto || params.stride > 1 || params.dilation > 1)) return 0;
  // Of one sample.
  const double pairs = static_cast<double>(params.out_channels) * params.group_in();
  const double tap = std::max(params.group_out() < 4 ? kShortTapCycles / longest : 0, kTapCycles) / params.stride;
  if (!asked_for && 2 * pairs * static_cast<double>(params.reach()) > most_spectra(false)) return 0;
  double least = asked_for ? -1 : kWorth * pairs * params.kernel_size * tap;
  int32_t best = 0;
  for (int32_t partition = kLeastPartition; partition <= std::min<int64_t>(kMostPartition, params.reach());
       partition *= 2) {
    const int64_t partitions = params.reach() / partition;
    const int32_t head = params.kernel_size - first_head_tap(params, partition);
    const double cycles =
        pairs * (head * tap + static_cast<double>(partitions) * kProductCycles) +
        (params.in_channels + params.out_channels) * kTransformCycles * (1 + kTransformCall / partition);
    if (least < 0 || cycles < least) {
      least = cycles;
      best = partition;
    }
  }
  return best;
}

int64_t kept_samples(const Params& params) {
  // Where pieces of any length are partitioned, pieces of one sample are. The oldest window whose loudness counts
  // begins less than three partitions before the reach.
  const bool partitioned = choose_partition(params, 1) > 0;
  return params.reach() + (partitioned ? 3 * std::min<int64_t>(kMostPartition, params.reach()) : 0);
}

}  // namespace conv1d
