#include "choose/tiles.h"

#include "choose/in_build.h"

namespace conv1d {
namespace {

constexpr const Tile& kOneRow = *in_build(&kDense1x48, &kDense1x32);

}  // namespace

const Tile& choose_tile(Vectors vectors, int32_t channels) {
  if (vectors == Vectors::kAlongChannels && channels >= 4) {
    return channels >= 24 ? kChannels24x2 : channels >= 8 ? kChannels8x6 : kChannels4x6;
  }
  if (vectors == Vectors::kAcrossGroups) return channels >= kDepthwise4x1.rows ? kDepthwise4x1 : kOneRow;
  switch (channels) {
    case 1:
      return kOneRow;
    case 2:
      return *in_build(&kDense2x24, &kDense2x16);
    case 3:
      return *in_build(&kDense3x12, &kDense2x16);
    // 4 = 2 + 2 and 7 = 3 + 2 + 2: none is left alone, and 4 x 8 sums are too few to hide the latency of a fused madd.
    case 4:
      return *in_build(&kDense2x24, &kDense4x8);
    case 5:
    case 7:
      return *in_build(&kDense3x12, &kDense4x8);
    default:
      return *in_build(&kDense6x8, &kDense4x8);
  }
}

Vectors choose_vectors(const Dimensions& layer, int32_t count) {
  return count <= kShortRow && layer.group_out() >= 4 ? Vectors::kAlongChannels : Vectors::kAlongTime;
}

Vectors choose_stream_vectors(const Dimensions& layer, int32_t count) {
  const bool depthwise = layer.group_in() == 1 && layer.group_out() == 1 && layer.groups >= kDepthwise4x1.rows;
  return count <= kShortRow && depthwise ? Vectors::kAcrossGroups : choose_vectors(layer, count);
}

int32_t exact_multiple(Vectors vectors, int32_t channels) {
  return vectors == Vectors::kAlongChannels && channels % 4 == 0 ? 1 : 4;
}

}  // namespace conv1d
