#include "choose/toom_schedule.h"

#include <algorithm>
#include <cmath>

#include "choose/threads.h"
#include "integers.h"
#include "kernels/toom_cook_f32.h"

namespace conv1d {
namespace {

constexpr int32_t kTile = kToomOutputs;
// Taps up to which one chunk takes them all.
constexpr int32_t kMostInOneChunk = 5;
// Floats of a block of transformed input: it stays in the L2 cache.
constexpr double kInputFloats = 131072;
// Floats of a block's sums at the points, which are read back at once.
constexpr double kProductFloats = 32768;
// Columns of a block: a multiple of two vectors, at most and at least.
constexpr int32_t kTwoVectors = 8;
constexpr double kMostColumns = 1024;
constexpr double kLeastColumns = 32;
// Columns of a block, at least, where more threads want blocks of their own.
constexpr double kLeastShare = 48;
// Output channels of a tile of the kernel for many, and of a part, at least: two of those.
constexpr int32_t kTileRows = 6;
constexpr double kLeastPart = 12;
// Multiplications of the definition that a piece stands for, at most: about as long as one of kLongestPiece.
constexpr double kLongestToomPiece = 2 * kLongestPiece;

}  // namespace

int32_t chunk_taps(const Dimensions& layer, const ToomCut& cut, int32_t phase, int32_t chunk) {
  return std::clamp(ceil_div(layer.kernel_size - phase, cut.phases) - chunk * kTile, 0, cut.chunk_taps);
}

ToomCut cut_taps(const Dimensions& layer) {
  ToomCut cut{};
  cut.phases = layer.phases();
  cut.dilation = layer.phase_dilation();
  const int32_t taps = ceil_div(layer.kernel_size, cut.phases);
  cut.chunk_taps = taps <= kMostInOneChunk ? taps : kTile;
  cut.chunks = taps <= kMostInOneChunk ? 1 : ceil_div(taps, kTile);
  cut.single_begin = cut.phases;
  for_each_chunk(layer, cut, [&](int32_t phase, int32_t, int32_t taps_of_chunk) {
    if (taps_of_chunk > 1) {
      cut.point_phases = phase + 1;
      cut.depth += layer.group_in();
    } else {
      cut.single_begin = std::min(cut.single_begin, phase);
      cut.single_end = phase + 1;
      cut.single_depth += layer.group_in();
    }
  });
  cut.single_begin = std::min(cut.single_begin, cut.single_end);
  return cut;
}

ToomSchedule schedule_toom(const Correlation& layer, const ToomCut& cut, int threads) {
  ToomSchedule schedule{};
  const int32_t channels = layer.group_out();
  const double outputs = layer.out_length;
  const double weights = static_cast<double>(layer.weight_size()) / layer.groups;
  const double images = static_cast<double>(layer.batch) * layer.groups;
  schedule.threads = worth_threads(layer, threads);

  const auto tiles = static_cast<int32_t>(std::ceil(outputs / (static_cast<double>(kTile) * cut.dilation)));
  const double column_floats =
      static_cast<double>(layer.group_in()) * (cut.points() * cut.point_phases + kTile * cut.single_phases());
  // Pieces of one group of one image, for every thread to have several of all.
  const double wanted = schedule.threads > 1 ? std::ceil(4 * schedule.threads / std::max(1.0, images)) : 1;
  const double columns = std::min(kInputFloats / column_floats, std::max(outputs / kTile / wanted, kLeastShare));
  const auto room = static_cast<int32_t>(std::clamp(columns, kLeastColumns, kMostColumns)) / kTwoVectors * kTwoVectors;
  // Lanes that have outputs: all of the dilation, or the first ones.
  const int32_t lanes = std::min(cut.dilation, layer.out_length);
  // All of those, if a block then has some tiles beside those that its last ones reach into.
  const int32_t least_tiles = std::min(tiles, kTile * cut.chunks);
  schedule.lanes = lanes;
  schedule.tiles = std::max(1, room / lanes);
  if (schedule.tiles < least_tiles) {
    schedule.tiles = least_tiles;
    schedule.lanes = std::min(lanes, round_up(std::max(1, room / least_tiles), kTwoVectors));
  }
  schedule.tiles = ceil_div(tiles, ceil_div(tiles, schedule.tiles));
  if (schedule.lanes == 1) schedule.tiles = round_up(schedule.tiles, kTwoVectors);

  const int32_t block = schedule.tiles * schedule.lanes;
  schedule.rows =
      std::max(kTileRows, static_cast<int32_t>(kProductFloats / cut.points() / block) / kTileRows * kTileRows);
  const double blocks = std::ceil(static_cast<double>(tiles) * lanes / block);
  const double parts = std::max(wanted / 2 / blocks, static_cast<double>(kTile) * block * weights / kLongestToomPiece);
  schedule.oc_parts = static_cast<int32_t>(std::clamp(std::ceil(parts), 1.0, std::max(1.0, channels / kLeastPart)));
  return schedule;
}

}  // namespace conv1d
