#include "choose/weight_gradient_schedule.h"

#include <algorithm>

#include "choose/fft_schedule.h"
#include "choose/in_build.h"
#include "choose/threads.h"
#include "integers.h"

namespace conv1d {
namespace {

// Outputs of a block: six rows of them leave room in the L1 cache, and adding up a tile's lanes costs little beside it.
constexpr int32_t kBlock = 512;
// Outputs of a row up to which those of several images are gathered to such a block.
constexpr int32_t kShortRow = 128;
// Of a block that is read directly.
constexpr int32_t kDirectBlock = 2048;
// Outputs that need no padding, from which on reading them directly pays.
constexpr int64_t kLeastDirect = 128;
// Products that an input element must take part in before a packed copy of it pays.
constexpr int32_t kPackWorth = 64;
// Floats of a packed input block: it stays in the L2 cache.
constexpr int64_t kBlockFloats = 98304;
// Pieces that any number of threads can share evenly, if there is enough to do.
constexpr int32_t kPieces = 8;
// Floats of all partial sums.
constexpr int64_t kSumFloats = 1048576;
// Columns of a piece from which on reading the output's gradients for them alone pays.
constexpr int32_t kLeastColumns = 48;
// Input channels of a piece by FFT, which transforms the output's gradients for them alone.
constexpr int32_t kFftChannels = 8;

constexpr DotsTile kDots6x2{6, dots_f32_6x2};
constexpr DotsTile kDots3x3{3, dots_f32_3x3};
constexpr DotsTile kDots2x4{2, dots_f32_2x4};
constexpr DotsTile kDots1x5{1, dots_f32_1x5};

// The largest divisor of `value` that is not greater than `most`.
int32_t divisor(int32_t value, int64_t most) {
  auto result = static_cast<int32_t>(std::clamp<int64_t>(most, 1, value));
  while (value % result != 0) --result;
  return result;
}

}  // namespace

WeightGradientSchedule schedule_weight_gradient(Algorithm wanted, const Correlation& layer, int threads) {
  WeightGradientSchedule schedule{};
  schedule.threads = worth_threads(layer, threads);
  const int64_t uses = int64_t{layer.group_out()} * layer.kernel_size;
  const int64_t inside = layer.out_length - layer.outside();
  schedule.direct = layer.stride == 1 && uses < kPackWorth && inside >= kLeastDirect;
  schedule.block = std::min(layer.out_length, schedule.direct ? kDirectBlock : kBlock);
  const bool gathers = !schedule.direct && layer.batch > 1 && layer.out_length <= kShortRow;
  schedule.images = gathers ? std::min(kBlock / layer.out_length, layer.batch) : 1;

  const int32_t phases = std::min(layer.kernel_size, layer.phases());
  const int64_t span = phases * (schedule.block + layer.reach() / layer.stride);
  const int64_t windows = int64_t{layer.kernel_size} * schedule.block;
  schedule.tap_windows = gathers || windows < span;
  const int64_t channel_floats = schedule.tap_windows ? windows * schedule.images : span;
  schedule.channels = divisor(layer.group_in(), schedule.direct ? layer.group_in() : kBlockFloats / channel_floats);

  if (wanted == Algorithm::kAuto || wanted == Algorithm::kFft) {
    schedule.fft_size = fft_size_of_gradient(layer, kFftChannels, wanted == Algorithm::kFft);
  }
  if (schedule.fft_size > 0) {
    schedule.channels = divisor(layer.group_in(), std::min(schedule.channels, kFftChannels));
    schedule.chunks = 1;
    return schedule;
  }
  const int64_t blocks = int64_t{ceil_div(layer.batch, schedule.images)} * ceil_div(layer.out_length, schedule.block);
  const int64_t parts = layer.in_channels / schedule.channels;
  const int64_t most_chunks = std::clamp<int64_t>(kSumFloats / layer.weight_size(), 1, std::max<int64_t>(1, blocks));
  schedule.chunks = static_cast<int32_t>(std::clamp<int64_t>(kPieces / parts, 1, most_chunks));
  if (parts * schedule.chunks < kPieces) {
    const int64_t part = layer.in_channels * int64_t{schedule.chunks} / kPieces;
    const int64_t least = ceil_div(kLeastColumns, layer.kernel_size);
    schedule.channels = std::min(schedule.channels, divisor(layer.group_in(), std::max(part, least)));
  }
  return schedule;
}

const DotsTile& choose_dots(int32_t rows) {
  switch (rows) {
    case 1:
      return kDots1x5;
    case 2:
    case 4:
      return kDots2x4;
    case 3:
    case 5:
      return kDots3x3;
    default:
      return *in_build(&kDots6x2, &kDots3x3);
  }
}

}  // namespace conv1d
