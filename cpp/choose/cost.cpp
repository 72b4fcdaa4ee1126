#include "choose/cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "choose/kernel_table.h"
#include "methods/evenness.h"
#include "methods/fft_convolution.h"
#include "methods/toom_cook.h"

namespace conv1d {
namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();
constexpr double kCyclesPerNanosecond = 4.1;

// Fitted to the times of 1,000 random layers (npm run bench -- --sweep), on both builds: least squares of relative
// errors, those above 15% counted less.
// A product of a vector, in a tile of so many rows; then of a vector that lies along the channels.
constexpr double kProduct6 = in_build(0.15, 0.28);
constexpr double kProduct3 = in_build(0.16, 0.2);
constexpr double kProduct2 = in_build(0.16, 0.29);
constexpr double kProduct1 = 0.23;
constexpr double kProductAcross = in_build(0.21, 0.29);
constexpr double kTileCall = in_build(35.5, 28.8);
// A row of a packed block, a sample of it, one that is picked from a strided line, one of a tap's own window.
constexpr double kPackedRow = 15.9;
constexpr double kPackedSample = 0.02;
constexpr double kPickedSample = 0.31;
constexpr double kWindowSample = in_build(0.18, 0.26);
// A sample of the padding that is filled in.
constexpr double kPaddedSample = 0.044;
// A weight that each block reads again, when they are more than the L2 cache holds.
constexpr double kLoadedWeight = 0.04;
constexpr double kCachedWeights = 262144;
// Toom-Cook: a sample of a block split, a vector of V, a vector of M, an output merged; a run of neighbouring lanes of
// a dilation copied, and one that is fetched by itself.
constexpr double kSplitSample = 0.63;
constexpr double kInputPoint = in_build(0.76, 0.9);
constexpr double kOutputPoint = 0.59;
constexpr double kMergedOutput = in_build(0.13, 0.11);
constexpr double kCopiedRun = 5.5;
constexpr double kFetchedRun = 16.4;
// A sample that is looked at for whether a tile is even, of four tiles.
constexpr double kMarkedSample = 5.1;

// What makes an output's error at most 2^-20 of its sum |w||x| + |b| with random data: errors of single products, up to
// 2^-17 of so small a sum, average out in one of many.
constexpr int32_t kToomLeastDepth = 16;
constexpr int32_t kToomLeastDepth5 = 32;

// Kernels that sum `depth` products for each of `count` outputs of `channels` rows, in `strips` calls a tile of rows.
double strip_cost(int32_t channels, double depth, double count, double strips) {
  double cost = 0;
  while (channels > 0) {
    const int32_t rows = choose_tile(Vectors::kAlongTime, channels).rows;
    const int32_t tiles = rows == 6 ? std::max(1, channels / 6 - 1) : 1;  // the last ones may be smaller
    const double product = rows == 6 ? kProduct6 : rows == 3 ? kProduct3 : rows == 2 ? kProduct2 : kProduct1;
    cost += tiles * (strips * kTileCall + rows * depth * product * (count + 3 * strips) / 4);
    channels -= tiles * rows;
  }
  return cost;
}

// How far apart the samples of a row are in a channel, without phases.
double row_step(const Params& params) { return static_cast<double>(params.stride) * params.phase_dilation(); }

// Whether rows have so few samples that blocks are computed by the definition.
bool is_sparse(const Params& params, const Geometry& geometry) {
  return geometry.length - 1 < kSparse * row_step(params);
}

}  // namespace

double share_of_samples(const Geometry& geometry) {
  return geometry.length / (static_cast<double>(geometry.length) + geometry.pad_left + geometry.pad_right);
}

double direct_cost(const Params& params, const Geometry& geometry) {
  const Schedule schedule = choose_schedule(params, geometry, 1);
  const double depth = static_cast<double>(params.group_in()) * params.kernel_size;
  const double outputs = geometry.out_length;
  const double blocks = std::ceil(outputs / schedule.block);
  double cost = 0;
  if (schedule.vectors == Vectors::kAlongChannels) {
    cost += depth * std::ceil(params.group_out() / 4.0) * outputs * kProductAcross;
  } else {
    cost += strip_cost(params.group_out(), depth, outputs, schedule.direct ? 1 : blocks);
  }
  const double packed = schedule.direct ? std::min<double>(outputs, geometry.pad_left + geometry.pad_right) : outputs;
  if (packed > 0) {
    const double lines = schedule.direct ? std::min(2.0, packed) : blocks;
    const double channels = params.group_in();
    const double rows = schedule.tap_windows ? params.kernel_size : std::min(params.kernel_size, params.phases());
    const auto reach = static_cast<double>(params.reach());
    // The edges of a row that is read in place are of the padding.
    const double samples = schedule.direct ? 0.5 : share_of_samples(geometry);
    const auto copied = [&](double count, double each) {
      return count * (samples * each + (1 - samples) * kPaddedSample);
    };
    cost += channels * lines * rows * kPackedRow;
    if (schedule.tap_windows) {
      cost += copied(depth * packed, kWindowSample);
    } else if (params.stride > 1) {
      cost += copied(channels * rows * (packed + reach / params.stride * lines), kPickedSample);
    } else {
      cost += copied(channels * (packed + reach * lines), kPackedSample);
    }
  }
  return params.groups * cost;
}

double toom_cook_cost(const Params& params, const Geometry& geometry) {
  if (!params.has_toom_cook() || is_sparse(params, geometry)) return kImpossible;
  const ToomCut cut = cut_taps(params);
  if (cut.depth < (cut.chunk_taps == 5 ? kToomLeastDepth5 : kToomLeastDepth)) return kImpossible;
  const int32_t rows_of_points = params.group_in() * cut.point_phases;
  const ToomSchedule schedule = choose_toom_schedule(params, cut, geometry, 1);
  const double points = cut.chunk_taps + 3;
  const double tiles = std::ceil(geometry.out_length / (4.0 * cut.dilation));
  const double lanes = std::min(cut.dilation, geometry.out_length);
  const double lane_blocks = std::ceil(lanes / schedule.lanes);
  const double blocks = std::ceil(tiles / schedule.tiles) * lane_blocks;
  const double columns = tiles * lanes;
  const double halo = static_cast<double>(cut.chunks) * schedule.lanes * blocks;
  const double rows = static_cast<double>(params.group_in()) * cut.phases;

  double cost = strip_cost(params.group_out(), points * cut.depth + 4.0 * cut.single_depth, columns, blocks) +
                strip_cost(params.group_out(), 0, 0, blocks * (points + 3));
  const double picked = params.stride > 1 ? share_of_samples(geometry) * kPickedSample : 0;
  cost += 4 * rows * (columns + halo) * (kSplitSample + picked);
  cost += (rows_of_points <= kFewRows ? rows_of_points : 1) * (4.0 * cut.chunks + 3) * columns / 4 * kMarkedSample;
  cost += rows * blocks * kPackedRow;
  if (cut.dilation > 1) {
    const double runs = tiles * lane_blocks + blocks * cut.chunks;
    cost += 4 * rows * runs * (schedule.lanes < cut.dilation ? kFetchedRun : kCopiedRun);
    cost += 4.0 * params.group_out() * tiles * lane_blocks * kCopiedRun;
  }
  cost += static_cast<double>(rows_of_points) * points * (columns + halo) / 4 * kInputPoint;
  const double weights = params.group_out() * (points * cut.depth + cut.single_depth);
  if (weights > kCachedWeights) cost += weights * blocks * kLoadedWeight;
  cost += params.group_out() * (points * columns / 4 * kOutputPoint + 4 * columns * kMergedOutput);
  // Tiles that are padding for the most part are computed by the definition, twice as slowly as longer blocks.
  const double step = row_step(params);
  const double half = (4.0 * cut.chunks + 3) / 2;  // of a tile's samples
  const auto padded = [&](double pad) { return std::max(0.0, pad / step - half) / 4; };
  const double share = geometry.length < half * step
                           ? 1
                           : std::min(1.0, (padded(geometry.pad_left) + padded(geometry.pad_right)) / tiles);
  return params.groups * cost + 2 * share * direct_cost(params, geometry);
}

double fft_cost(const Params& params, const Geometry& geometry) {
  Geometry image = geometry;
  image.batch = 1;
  if (is_sparse(params, geometry)) return kImpossible;
  const FftCut cut = cut_for_fft(params, image, 1);
  return cut.size == 0 ? kImpossible : cut.cycles / kCyclesPerNanosecond;
}

}  // namespace conv1d
