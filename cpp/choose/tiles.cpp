#include "choose/tiles.h"

#include "kernels/channels_f32.h"
#include "kernels/dense_f32.h"

namespace conv1d {
namespace {

constexpr Tile kDense6x8{"dense_f32_6x8", 6, 8, dense_f32_6x8};
constexpr Tile kDense3x12{"dense_f32_3x12", 3, 12, dense_f32_3x12};
constexpr Tile kDense2x24{"dense_f32_2x24", 2, 24, dense_f32_2x24};
constexpr Tile kDense1x48{"dense_f32_1x48", 1, 48, dense_f32_1x48};
constexpr Tile kChannels24x2{"channels_f32_24x2", 24, 2, channels_f32_24x2};
constexpr Tile kChannels8x6{"channels_f32_8x6", 8, 6, channels_f32_8x6};
constexpr Tile kChannels4x6{"channels_f32_4x6", 4, 6, channels_f32_4x6};

// Outputs of a row up to which vectors along time would stay too empty.
constexpr int32_t kShortRow = 6;

}  // namespace

const Tile& choose_tile(Vectors vectors, int32_t channels) {
  if (vectors == Vectors::kAlongChannels && channels >= 4) {
    return channels >= 24 ? kChannels24x2 : channels >= 8 ? kChannels8x6 : kChannels4x6;
  }
  switch (channels) {
    case 1:
      return kDense1x48;
    // 4 = 2 + 2 and 7 = 3 + 2 + 2: none is left alone, and 4 x 8 sums are too few to hide a madd's latency.
    case 2:
    case 4:
      return kDense2x24;
    case 3:
    case 5:
    case 7:
      return kDense3x12;
    default:
      return kDense6x8;
  }
}

Vectors choose_vectors(const Dimensions& layer, int32_t count) {
  return count <= kShortRow && layer.group_out() >= 4 ? Vectors::kAlongChannels : Vectors::kAlongTime;
}

int32_t exact_multiple(Vectors vectors, int32_t channels) {
  return vectors == Vectors::kAlongChannels && channels % 4 == 0 ? 1 : 4;
}

}  // namespace conv1d
