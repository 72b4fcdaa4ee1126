#include "cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fft_convolution.h"
#include "kernel_table.h"
#include "toom_cook.h"

namespace conv1d {
namespace {

constexpr double kImpossible = std::numeric_limits<double>::infinity();
constexpr double kCyclesPerNanosecond = 4.1;

// Fitted to the times of 250 random layers (npm run bench -- --sweep), relaxed build, least squares of relative errors.
// A product of a vector, in a tile of so many rows; then of a vector that lies along the channels.
constexpr double kProduct6 = 0.124;
constexpr double kProduct3 = 0.138;
constexpr double kProduct2 = 0.131;
constexpr double kProduct1 = 0.2;
constexpr double kProductAcross = 0.08;
constexpr double kTileCall = 18;
// A row of a packed block, a sample of it, one that is picked from a strided line, one of a tap's own window.
constexpr double kPackedRow = 15;
constexpr double kPackedSample = 0.041;
constexpr double kPickedSample = 0.23;
constexpr double kWindowSample = 0.73;
// Toom-Cook: a sample of a block split, a vector of V, a vector of M, an output merged; a run of neighbouring layers of
// a dilation copied, and one that is fetched by itself.
constexpr double kSplitSample = 0.29;
constexpr double kInputPoint = 0.27;
constexpr double kOutputPoint = 0.56;
constexpr double kMergedOutput = 0.13;
constexpr double kCopiedRun = 1.7;
constexpr double kFetchedRun = 8;

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

}  // namespace

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
    cost += channels * lines * rows * kPackedRow;
    if (schedule.tap_windows) {
      cost += depth * packed * kWindowSample * (params.stride > 1 ? 2 : 1);
    } else {
      cost += channels * ((packed - lines) * params.stride + (reach + 1) * lines) * kPackedSample;
      if (params.stride > 1) cost += channels * rows * (packed + reach / params.stride * lines) * kPickedSample;
    }
  }
  return params.groups * cost;
}

double toom_cook_cost(const Params& params, const Geometry& geometry) {
  if (!params.has_toom_cook()) return kImpossible;
  const ToomCut cut = cut_taps(params);
  if (cut.depth < (cut.chunk_taps == 5 ? kToomLeastDepth5 : kToomLeastDepth)) return kImpossible;
  const ToomSchedule schedule = choose_toom_schedule(params, cut, geometry, 1);
  const double points = cut.chunk_taps + 3;
  const double tiles = std::ceil(geometry.out_length / (4.0 * cut.dilation));
  const double layers = std::min(cut.dilation, geometry.out_length);
  const double layer_blocks = std::ceil(layers / schedule.layers);
  const double blocks = std::ceil(tiles / schedule.tiles) * layer_blocks;
  const double columns = tiles * layers;
  const double halo = static_cast<double>(cut.chunks) * schedule.layers * blocks;
  const double rows = static_cast<double>(params.group_in()) * cut.phases;

  double cost = strip_cost(params.group_out(), points * cut.depth + 4.0 * cut.single_depth, columns, blocks) +
                strip_cost(params.group_out(), 0, 0, blocks * (points + 3));
  cost += 4 * rows * (columns + halo) * (kSplitSample + (params.stride > 1 ? kPickedSample : 0));
  cost += rows * blocks * kPackedRow;
  if (cut.dilation > 1) {
    const double runs = tiles * layer_blocks + blocks * cut.chunks;
    cost += 4 * rows * runs * (schedule.layers < cut.dilation ? kFetchedRun : kCopiedRun);
    cost += 4.0 * params.group_out() * tiles * layer_blocks * kCopiedRun;
  }
  cost += static_cast<double>(params.group_in()) * cut.point_phases * points * (columns + halo) / 4 * kInputPoint;
  cost += params.group_out() * (points * columns / 4 * kOutputPoint + 4 * columns * kMergedOutput);
  return params.groups * cost;
}

double fft_cost(const Params& params, const Geometry& geometry) {
  Geometry image = geometry;
  image.batch = 1;
  const FftCut cut = cut_for_fft(params, image, 1);
  return cut.size == 0 ? kImpossible : cut.cycles / kCyclesPerNanosecond;
}

}  // namespace conv1d
