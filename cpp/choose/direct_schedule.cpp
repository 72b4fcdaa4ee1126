#include "choose/direct_schedule.h"

#include <algorithm>
#include <cmath>

#include "choose/threads.h"
#include "integers.h"

namespace conv1d {
namespace {

// Floats of a packed input block: it stays in the L2 cache. Every block reads all weights again, so where those do not
// stay there too, blocks are longer.
constexpr int64_t kBlockFloats = 98304;
constexpr int64_t kLongBlockFloats = 163840;
constexpr int64_t kManyWeights = 262144;
// Outputs of a block: a multiple of every kernel's width, where there is room; otherwise of two vectors.
constexpr int32_t kLeastBlock = 48;
constexpr int32_t kTwoVectors = 8;
// Outputs that a thread's piece of a row has at least.
constexpr int32_t kShortestPiece = 96;
// Outputs of a strip that is read directly, at most.
constexpr int32_t kLongestStrip = 4096;
// Output channels of a part, at least: two tiles of six.
constexpr int32_t kLeastPart = 12;
// Multiplications an input element must take part in, in its group, before a packed copy of it pays.
constexpr int32_t kPackWorth = 96;
// Rows from which on those that are not all in the L2 cache are worth packing for their few neighbours' sake: kernels
// would take a little of each in turn, too many streams for the processor to fetch ahead.
constexpr int32_t kManyRows = 32;
// Outputs of a padded row up to which packing it whole costs less than packing its two edges apart.
constexpr int32_t kWholeRow = 512;
// Samples between a row's first and last tap from which on a block would consist of what it shares with the next.
constexpr int64_t kLongReach = 1024;
// Of the packed input of Definition, if that leaves room for some outputs.
constexpr int64_t kDefinitionFloats = 32768;
constexpr int64_t kLeastDefinitionBlock = 64;

// Pieces for every thread to have several, as many for each: cut along time as long as blocks stay long, then along
// channels, with fewer, for each part packs the input again.
void share_out(const Correlation& layer, DirectSchedule* schedule) {
  const int32_t outputs = round_up(layer.out_length, kTwoVectors);
  const int64_t images = static_cast<int64_t>(layer.batch) * layer.groups;
  const auto wanted = [&](int64_t each) { return ceil_div(each * schedule->threads, images); };
  auto pieces = static_cast<int32_t>(std::min<int64_t>(wanted(4), outputs / kShortestPiece));
  if (pieces > schedule->threads) pieces -= pieces % schedule->threads;
  if (pieces > 1) {
    const int32_t width = choose_tile(schedule->vectors, layer.group_out()).width;
    const int32_t piece = round_up(ceil_div(outputs, pieces), width);
    schedule->block = std::min(schedule->block, piece);
    schedule->strip = std::min(schedule->strip, piece);
  }
  const int32_t across = ceil_div(outputs, schedule->block);
  schedule->oc_parts = static_cast<int32_t>(
      std::clamp<int64_t>(wanted(2) / std::max(1, across), 1, std::max(1, layer.group_out() / kLeastPart)));
}

}  // namespace

DirectSchedule schedule_direct(const Correlation& layer, int threads) {
  DirectSchedule schedule{};
  schedule.vectors = choose_vectors(layer, layer.out_length);
  schedule.threads = worth_threads(layer, threads);

  const int64_t reach = layer.reach();
  const auto uses = static_cast<int64_t>(layer.group_out()) * layer.kernel_size;
  const bool pack_whole = layer.outside() > 0 && layer.out_length <= kWholeRow;
  const bool scattered =
      layer.kernel_size > 1 && layer.group_in() >= kManyRows && int64_t{layer.group_in()} * layer.length > kBlockFloats;
  schedule.direct = layer.stride == 1 && layer.dtype == DType::kFloat32 &&
                    ((uses < kPackWorth && !pack_whole && !scattered) || reach > kLongReach ||
                     schedule.vectors == Vectors::kAlongChannels);

  const int32_t outputs = round_up(layer.out_length, kTwoVectors);
  const int64_t weights = int64_t{layer.group_out()} * layer.group_in() * layer.kernel_size;
  const int64_t floats = weights > kManyWeights ? kLongBlockFloats : kBlockFloats;
  const int64_t span_room = (floats / layer.group_in() - reach) / layer.stride;
  const int64_t window_room = floats / layer.group_in() / layer.kernel_size;
  schedule.tap_windows = window_room > span_room && reach > kLeastBlock;
  const int64_t room = schedule.tap_windows ? window_room : span_room;
  const int64_t multiple = room < kLeastBlock ? kTwoVectors : kLeastBlock;
  schedule.block = static_cast<int32_t>(std::clamp<int64_t>(room / multiple * multiple, kTwoVectors, kBlockFloats));
  schedule.block = std::min(schedule.block, outputs);
  schedule.strip = kLongestStrip;
  schedule.oc_parts = 1;
  if (schedule.threads > 1) share_out(layer, &schedule);

  const double most_outputs = kLongestPiece / static_cast<double>(weights);
  schedule.strip =
      std::min(schedule.strip, std::max(kLeastBlock, static_cast<int32_t>(most_outputs) / kLeastBlock * kLeastBlock));
  const auto least_parts = static_cast<int32_t>(std::ceil(schedule.block / most_outputs));
  schedule.oc_parts = std::max(schedule.oc_parts, std::min(least_parts, layer.group_out() / kLeastPart));
  return schedule;
}

bool joins_phases(const Dimensions& layer) {
  return layer.stride > 1 && layer.dilation == 1 && layer.group_in() < kDense6x8.rows;
}

int32_t choose_stream_strip(const Dimensions& layer) {
  return std::max(kLeastBlock, static_cast<int32_t>(kBlockFloats / layer.group_in()) / kLeastBlock * kLeastBlock);
}

int32_t choose_definition_block(int32_t most, int64_t rows, int64_t window) {
  const int64_t block = std::max({kLeastDefinitionBlock, window / 2, kDefinitionFloats / rows - window});
  return static_cast<int32_t>(std::min<int64_t>(most, block / kTwoVectors * kTwoVectors));
}

}  // namespace conv1d
