#include "choose/cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "choose/direct_schedule.h"
#include "choose/fft_schedule.h"
#include "choose/in_build.h"
#include "choose/tiles.h"
#include "choose/toom_schedule.h"
#include "methods/evenness.h"

namespace conv1d {
namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();
constexpr double kCyclesPerNanosecond = 4.1;

// Fitted to the times of 1,000 random layers (npm run bench -- --sweep), on both builds: least squares of relative
// errors, those above 15% counted less. Nanoseconds for each
constexpr double kProductMost = in_build(0.15, 0.2);     // product of a vector, in a tile of 6 or 4 rows
constexpr double kProduct3 = 0.16;                       // of 3
constexpr double kProduct2 = in_build(0.16, 0.19);       // of 2
constexpr double kProduct1 = 0.23;                       // of 1
constexpr double kProductAcross = in_build(0.21, 0.29);  // product of a vector that lies along the channels
constexpr double kTileCall = in_build(35.5, 28.8);       // call of a tile's kernel
constexpr double kPackedRow = 15.9;                      // row of a packed block
constexpr double kPackedSample = 0.02;                   // sample of one
constexpr double kPickedSample = 0.31;                   // sample picked from a strided line
constexpr double kWindowSample = in_build(0.18, 0.26);   // sample of a tap's own window
constexpr double kPaddedSample = 0.044;                  // sample of the padding that is filled in
constexpr double kLoadedWeight =
    0.04;  // weight that each block reads again, when they are more than the L2 cache holds
// and, of Toom-Cook, for each
constexpr double kSplitSample = 0.63;                   // sample of a block split
constexpr double kInputPoint = in_build(0.76, 0.9);     // vector of V
constexpr double kOutputPoint = 0.59;                   // vector of M
constexpr double kMergedOutput = in_build(0.13, 0.11);  // output merged
constexpr double kCopiedRun = 5.5;                      // run of neighbouring lanes of a dilation copied
constexpr double kFetchedRun = 16.4;                    // run that is fetched by itself
constexpr double kMarkedSample = 5.1;                   // sample of four tiles examined for evenness

constexpr double kCachedWeights = 262144;  // floats that the L2 cache holds

// Products a point sums, at least, under 'auto' (of 5 taps: the second). With fewer, a rounding error of 2^-17 of a
// product is not averaged away, and outputs would be off by more than 2^-20 of their sum |w||x| + |b|.
constexpr int32_t kToomLeastDepth = 16;
constexpr int32_t kToomLeastDepth5 = 32;

// Kernels that sum `depth` products for each of `count` outputs of `channels` rows, in `strips` calls a tile of rows.
double strip_cost(int32_t channels, double depth, double count, double strips) {
  double cost = 0;
  while (channels > 0) {
    const int32_t rows = choose_tile(Vectors::kAlongTime, channels).rows;
    const int32_t tiles = std::max(1, channels / rows - 1);  // the last ones may be smaller
    const double product = rows > 3 ? kProductMost : rows == 3 ? kProduct3 : rows == 2 ? kProduct2 : kProduct1;
    cost += tiles * (strips * kTileCall + rows * depth * product * (count + 3 * strips) / 4);
    channels -= tiles * rows;
  }
  return cost;
}

// How far apart the samples of a row are in a channel, without phases.
double row_step(const Correlation& layer) { return static_cast<double>(layer.stride) * layer.phase_dilation(); }

// Whether rows have so few samples that blocks are computed by the definition.
bool is_sparse(const Correlation& layer) { return layer.length - 1 < kSparse * row_step(layer); }

}  // namespace

double direct_cost(const Correlation& layer) {
  const DirectSchedule schedule = schedule_direct(layer, 1);
  const double depth = static_cast<double>(layer.group_in()) * layer.kernel_size;
  const double outputs = layer.out_length;
  const double blocks = std::ceil(outputs / schedule.block);
  double cost = 0;
  if (schedule.vectors == Vectors::kAlongChannels) {
    cost += depth * std::ceil(layer.group_out() / 4.0) * outputs * kProductAcross;
  } else {
    cost += strip_cost(layer.group_out(), depth, outputs, schedule.direct ? 1 : blocks);
  }
  const double packed = schedule.direct ? std::min(outputs, static_cast<double>(layer.outside())) : outputs;
  if (packed > 0) {
    const double lines = schedule.direct ? std::min(2.0, packed) : blocks;
    const double channels = layer.group_in();
    const double rows = schedule.tap_windows ? layer.kernel_size : std::min(layer.kernel_size, layer.phases());
    const auto reach = static_cast<double>(layer.reach());
    // The edges of a row that is read in place are of the padding.
    const double samples = schedule.direct ? 0.5 : layer.share_of_samples();
    const auto copied = [&](double count, double each) {
      return count * (samples * each + (1 - samples) * kPaddedSample);
    };
    cost += channels * lines * rows * kPackedRow;
    if (schedule.tap_windows) {
      cost += copied(depth * packed, kWindowSample);
    } else if (layer.stride > 1) {
      cost += copied(channels * rows * (packed + reach / layer.stride * lines), kPickedSample);
    } else {
      cost += copied(channels * (packed + reach * lines), kPackedSample);
    }
  }
  return layer.groups * cost;
}

double toom_cook_cost(const Correlation& layer) {
  if (!layer.has_toom_cook() || is_sparse(layer)) return kImpossible;
  const ToomCut cut = cut_taps(layer);
  if (cut.depth < (cut.chunk_taps == 5 ? kToomLeastDepth5 : kToomLeastDepth)) return kImpossible;
  const int32_t rows_of_points = layer.group_in() * cut.point_phases;
  const ToomSchedule schedule = schedule_toom(layer, cut, 1);
  const double points = cut.points();
  const double tiles = std::ceil(layer.out_length / (4.0 * cut.dilation));
  const double lanes = std::min(cut.dilation, layer.out_length);
  const double lane_blocks = std::ceil(lanes / schedule.lanes);
  const double blocks = std::ceil(tiles / schedule.tiles) * lane_blocks;
  const double columns = tiles * lanes;
  const double halo = static_cast<double>(cut.chunks) * schedule.lanes * blocks;
  const double rows = static_cast<double>(layer.group_in()) * cut.phases;

  double cost = strip_cost(layer.group_out(), points * cut.depth + 4.0 * cut.single_depth, columns, blocks) +
                strip_cost(layer.group_out(), 0, 0, blocks * (points + 3));
  const double picked = layer.stride > 1 ? layer.share_of_samples() * kPickedSample : 0;
  cost += 4 * rows * (columns + halo) * (kSplitSample + picked);
  cost += (rows_of_points <= kFewRows ? rows_of_points : 1) * (4.0 * cut.chunks + 3) * columns / 4 * kMarkedSample;
  cost += rows * blocks * kPackedRow;
  if (cut.dilation > 1) {
    const double runs = tiles * lane_blocks + blocks * cut.chunks;
    cost += 4 * rows * runs * (schedule.lanes < cut.dilation ? kFetchedRun : kCopiedRun);
    cost += 4.0 * layer.group_out() * tiles * lane_blocks * kCopiedRun;
  }
  cost += static_cast<double>(rows_of_points) * points * (columns + halo) / 4 * kInputPoint;
  const double weights = layer.group_out() * (points * cut.depth + cut.single_depth);
  if (weights > kCachedWeights) cost += weights * blocks * kLoadedWeight;
  cost += layer.group_out() * (points * columns / 4 * kOutputPoint + 4 * columns * kMergedOutput);
  // Tiles that are padding for the most part are computed by the definition, twice as slowly as longer blocks.
  const double step = row_step(layer);
  const double half = (4.0 * cut.chunks + 3) / 2;  // of a tile's samples
  const auto padded = [&](int64_t pad) { return std::max(0.0, static_cast<double>(pad) / step - half) / 4; };
  const double share =
      layer.length < half * step ? 1 : std::min(1.0, (padded(layer.before()) + padded(layer.after())) / tiles);
  return layer.groups * cost + 2 * share * direct_cost(layer);
}

double fft_cost(const Correlation& layer) {
  Correlation image = layer;
  image.batch = 1;
  if (is_sparse(layer)) return kImpossible;
  const FftCut cut = cut_for_fft(image, 1, most_spectra(false));
  return cut.size == 0 ? kImpossible : cut.cycles / kCyclesPerNanosecond;
}

}  // namespace conv1d
