#include "choose/kernel_table.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "choose/cost.h"
#include "kernels/channels_f32.h"
#include "kernels/dense_f32.h"
#include "methods/toom_cook.h"

namespace conv1d {
namespace {

constexpr Tile kTiles[] = {
    {"dense_f32_6x8", 6, 8, dense_f32_6x8},          {"dense_f32_3x12", 3, 12, dense_f32_3x12},
    {"dense_f32_2x24", 2, 24, dense_f32_2x24},       {"dense_f32_1x48", 1, 48, dense_f32_1x48},
    {"channels_f32_24x2", 24, 2, channels_f32_24x2}, {"channels_f32_8x6", 8, 6, channels_f32_8x6},
    {"channels_f32_4x6", 4, 6, channels_f32_4x6},
};

// Floats of a packed input block: it stays in the L2 cache. Every block reads all weights again, so where those do not
// stay there too, blocks are longer.
constexpr int64_t kBlockFloats = 98304;
constexpr int64_t kLongBlockFloats = 163840;
constexpr int64_t kManyWeights = 262144;
// Outputs of a block: a multiple of every kernel's width, where there is room.
constexpr int32_t kLeastBlock = 48;
// Outputs that a thread's piece of a row has at least.
constexpr int32_t kShortestPiece = 96;
constexpr int32_t kLongestStrip = 4096;
// Multiplications an input element must take part in, in its group, before a packed copy of it pays.
constexpr int32_t kPackWorth = 96;
// Rows from which on those that are not all in the L2 cache are worth packing for their few neighbours' sake: kernels
// would take a little of each in turn, too many streams for the processor to fetch ahead.
constexpr int32_t kManyRows = 32;
// Outputs of a padded row up to which packing it whole costs less than packing its two edges apart.
constexpr int32_t kWholeRow = 512;
// Multiplications of one piece: a run can pause only between pieces, and this many take ten milliseconds or so.
constexpr double kLongestPiece = 200e6;
// Outputs of a row up to which vectors along time would stay too empty.
constexpr int32_t kShortRow = 6;
// Multiplications below which waking another thread costs more than it brings.
constexpr double kThreadWorth = 100e3;
// The share of direct's time below which a transform must stay: sums in one order are worth something.
constexpr double kTransformWorth = 0.93;
// Toom-Cook: floats of a block of transformed input: it stays in the L2 cache.
constexpr double kToomFloats = 131072;
constexpr double kToomProductFloats = 32768;  // of sums at the points, which are read back at once
// Columns of a block: at most, at least, and at least of what threads share.
constexpr double kToomMostColumns = 1024;
constexpr double kToomLeastColumns = 32;
constexpr double kToomLeastShare = 48;
constexpr double kLongestToomPiece = 2 * kLongestPiece;  // of the definition's multiplications

int32_t round_up(int32_t value, int32_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

const Tile& choose_tile(Vectors vectors, int32_t channels) {
  if (vectors == Vectors::kAlongChannels && channels >= 4) return kTiles[channels >= 24 ? 4 : channels >= 8 ? 5 : 6];
  switch (channels) {
    case 1:
      return kTiles[3];
    // 4 = 2 + 2 and 7 = 3 + 2 + 2: none is left alone, and 4 x 8 sums are too few to hide a madd's latency.
    case 2:
    case 4:
      return kTiles[2];
    case 3:
    case 5:
    case 7:
      return kTiles[1];
    default:
      return kTiles[0];
  }
}

Vectors choose_vectors(const Params& params, int32_t count) {
  return count <= kShortRow && params.group_out() >= 4 ? Vectors::kAlongChannels : Vectors::kAlongTime;
}

int32_t choose_stream_strip(const Params& params) {
  return std::max(kLeastBlock, static_cast<int32_t>(kBlockFloats / params.group_in()) / kLeastBlock * kLeastBlock);
}

int32_t exact_multiple(Vectors vectors, int32_t channels) {
  return vectors == Vectors::kAlongChannels && channels % 4 == 0 ? 1 : 4;
}

int worth_threads(const Params& params, const Geometry& geometry, int threads) {
  const double multiplications =
      static_cast<double>(geometry.batch) * geometry.out_length * static_cast<double>(params.weight_size());
  return multiplications >= kThreadWorth ? threads : 1;
}

namespace {

// Pieces for every thread to have several, as many for each: cut along time as long as blocks stay long, then along
// channels, with fewer, for each part packs the input again.
void share_out(const Params& params, const Geometry& geometry, Schedule* schedule) {
  const int32_t outputs = round_up(geometry.out_length, 8);
  const int64_t images = static_cast<int64_t>(geometry.batch) * params.groups;
  const auto wanted = [&](int64_t each) { return (each * schedule->threads + images - 1) / images; };
  auto pieces = static_cast<int32_t>(std::min<int64_t>(wanted(4), outputs / kShortestPiece));
  if (pieces > schedule->threads) pieces -= pieces % schedule->threads;
  if (pieces > 1) {
    const int32_t width = choose_tile(schedule->vectors, params.group_out()).width;
    const int32_t piece = round_up((outputs + pieces - 1) / pieces, width);
    schedule->block = std::min(schedule->block, piece);
    schedule->strip = std::min(schedule->strip, piece);
  }
  const int32_t across = (outputs + schedule->block - 1) / schedule->block;
  schedule->oc_parts = static_cast<int32_t>(
      std::clamp<int64_t>(wanted(2) / std::max(1, across), 1, std::max(1, params.group_out() / 12)));
}

}  // namespace

ToomSchedule choose_toom_schedule(const Params& params, const ToomCut& cut, const Geometry& geometry, int threads) {
  ToomSchedule schedule{};
  const int32_t channels = params.group_out();
  const double outputs = geometry.out_length;
  const double weights = static_cast<double>(params.weight_size()) / params.groups;
  const double images = static_cast<double>(geometry.batch) * params.groups;
  schedule.threads = worth_threads(params, geometry, threads);

  const int32_t points = cut.chunk_taps + 3;
  const auto tiles = static_cast<int32_t>(std::ceil(outputs / (4.0 * cut.dilation)));
  const double column_floats =
      static_cast<double>(params.group_in()) * (points * cut.point_phases + 4 * cut.single_phases());
  // Pieces of one group of one image, for every thread to have several of all.
  const double wanted = schedule.threads > 1 ? std::ceil(4 * schedule.threads / std::max(1.0, images)) : 1;
  const double columns = std::min(kToomFloats / column_floats, std::max(outputs / 4 / wanted, kToomLeastShare));
  const auto room = static_cast<int32_t>(std::clamp(columns, kToomLeastColumns, kToomMostColumns)) / 8 * 8;
  // Lanes that have outputs: all of the dilation, or the first ones.
  const int32_t lanes = std::min(cut.dilation, geometry.out_length);
  // All of those, if a block then has some tiles beside those that its last ones reach into.
  const int32_t least_tiles = std::min(tiles, 4 * cut.chunks);
  schedule.lanes = lanes;
  schedule.tiles = std::max(1, room / lanes);
  if (schedule.tiles < least_tiles) {
    schedule.tiles = least_tiles;
    schedule.lanes = std::min(lanes, round_up(std::max(1, room / least_tiles), 8));
  }
  const int32_t across = (tiles + schedule.tiles - 1) / schedule.tiles;
  schedule.tiles = (tiles + across - 1) / across;
  if (schedule.lanes == 1) schedule.tiles = round_up(schedule.tiles, 8);

  const int32_t block = schedule.tiles * schedule.lanes;
  schedule.rows = std::max(6, static_cast<int32_t>(kToomProductFloats / points / block) / 6 * 6);
  const double blocks = std::ceil(static_cast<double>(tiles) * lanes / block);
  const double parts = std::max(wanted / 2 / blocks, 4.0 * block * weights / kLongestToomPiece);
  schedule.oc_parts = static_cast<int32_t>(std::clamp(std::ceil(parts), 1.0, std::max(1.0, channels / 12.0)));
  return schedule;
}

namespace {

std::string hundredths(double value) {
  const auto all = static_cast<int64_t>(std::round(std::min(value, 1e15) * 100));
  const std::string digits = std::to_string(all % 100);
  return std::to_string(all / 100) + (digits.size() < 2 ? ".0" : ".") + digits;
}

}  // namespace

std::string AlgorithmChoice::reason() const {
  if (asked_for) return "asked for";
  std::string text = short_of_memory ? "no memory for the fastest; " : "";
  text += "estimated times of direct's: ";
  for (const Algorithm other : {Algorithm::kToomCook, Algorithm::kFft}) {
    const double ratio = cost[static_cast<size_t>(other)] / cost[static_cast<size_t>(Algorithm::kDirect)];
    text += algorithm_name(other);
    text += std::isfinite(ratio) ? " " + hundredths(ratio) : " unfit";
    if (other != Algorithm::kFft) text += ", ";
  }
  return text;
}

AlgorithmChoice choose_algorithm(const Params& params, const Geometry& geometry) {
  AlgorithmChoice choice{.algorithm = params.algorithm,
                         .asked_for = params.algorithm != Algorithm::kAuto,
                         .short_of_memory = false,
                         .cost = {}};
  if (choice.asked_for) return choice;
  choice.cost[static_cast<size_t>(Algorithm::kDirect)] = direct_cost(params, geometry);
  choice.cost[static_cast<size_t>(Algorithm::kToomCook)] = toom_cook_cost(params, geometry);
  choice.cost[static_cast<size_t>(Algorithm::kFft)] = fft_cost(params, geometry);
  choice.algorithm = Algorithm::kDirect;
  double least = kTransformWorth * choice.cost[static_cast<size_t>(Algorithm::kDirect)];
  for (const Algorithm other : {Algorithm::kToomCook, Algorithm::kFft}) {
    const double cost = choice.cost[static_cast<size_t>(other)];
    if (cost >= least) continue;
    least = cost;
    choice.algorithm = other;
  }
  return choice;
}

Schedule choose_schedule(const Params& params, const Geometry& geometry, int threads) {
  Schedule schedule{};
  schedule.vectors = choose_vectors(params, geometry.out_length);
  schedule.threads = worth_threads(params, geometry, threads);

  const int64_t reach = params.reach();
  const auto uses = static_cast<int64_t>(params.group_out()) * params.kernel_size;
  const bool pack_whole = geometry.pad_left + geometry.pad_right > 0 && geometry.out_length <= kWholeRow;
  const bool scattered = params.kernel_size > 1 && params.group_in() >= kManyRows &&
                         int64_t{params.group_in()} * geometry.length > kBlockFloats;
  schedule.direct =
      params.stride == 1 && params.dtype == DType::kFloat32 &&
      ((uses < kPackWorth && !pack_whole && !scattered) || reach > 1024 || schedule.vectors == Vectors::kAlongChannels);

  const int32_t outputs = round_up(geometry.out_length, 8);
  const int64_t weights = int64_t{params.group_out()} * params.group_in() * params.kernel_size;
  const int64_t floats = weights > kManyWeights ? kLongBlockFloats : kBlockFloats;
  const int64_t span_room = (floats / params.group_in() - reach) / params.stride;
  const int64_t window_room = floats / params.group_in() / params.kernel_size;
  schedule.tap_windows = window_room > span_room && reach > kLeastBlock;
  const int64_t room = schedule.tap_windows ? window_room : span_room;
  schedule.block = static_cast<int32_t>(
      std::clamp<int64_t>(room < kLeastBlock ? room / 8 * 8 : room / kLeastBlock * kLeastBlock, 8, kBlockFloats));
  schedule.block = std::min(schedule.block, outputs);
  schedule.strip = kLongestStrip;
  schedule.oc_parts = 1;
  if (schedule.threads > 1) share_out(params, geometry, &schedule);

  const double most_outputs = kLongestPiece / static_cast<double>(weights);
  schedule.strip =
      std::min(schedule.strip, std::max(kLeastBlock, static_cast<int32_t>(most_outputs) / kLeastBlock * kLeastBlock));
  const auto least_parts = static_cast<int32_t>(std::ceil(schedule.block / most_outputs));
  schedule.oc_parts = std::max(schedule.oc_parts, std::min(least_parts, params.group_out() / 12));
  return schedule;
}

}  // namespace conv1d
