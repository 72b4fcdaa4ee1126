// The kernels that sum products by the definition, and which of them a layer's output channels are cut into.
#pragma once

#include <cstdint>

#include "kernels/channels_f32.h"
#include "kernels/dense_f32.h"
#include "kernels/depthwise_f32.h"
#include "kernels/strip.h"
#include "operator/correlation.h"

namespace conv1d {

// What a kernel holds in registers.
struct Tile {
  const char* name;
  int32_t rows;   // output channels
  int32_t width;  // outputs of each
  Kernel run;
};

// A madd of the relaxed build is one instruction; elsewhere its product takes a register too, and of x86's sixteen only
// enough are left for 8 sums, which suffice to hide the latency of an addition.
inline constexpr Tile kDense6x8{"dense_f32_6x8", 6, 8, dense_f32_6x8};      // relaxed
inline constexpr Tile kDense4x8{"dense_f32_4x8", 4, 8, dense_f32_4x8};      // others
inline constexpr Tile kDense3x12{"dense_f32_3x12", 3, 12, dense_f32_3x12};  // relaxed
inline constexpr Tile kDense2x24{"dense_f32_2x24", 2, 24, dense_f32_2x24};  // relaxed
inline constexpr Tile kDense2x16{"dense_f32_2x16", 2, 16, dense_f32_2x16};  // others
inline constexpr Tile kDense1x48{"dense_f32_1x48", 1, 48, dense_f32_1x48};  // relaxed
inline constexpr Tile kDense1x32{"dense_f32_1x32", 1, 32, dense_f32_1x32};  // others
inline constexpr Tile kChannels24x2{"channels_f32_24x2", 24, 2, channels_f32_24x2};
inline constexpr Tile kChannels8x6{"channels_f32_8x6", 8, 6, channels_f32_8x6};
inline constexpr Tile kChannels4x6{"channels_f32_4x6", 4, 6, channels_f32_4x6};
inline constexpr Tile kDepthwise4x1{"depthwise_f32_4x1", 4, 1, depthwise_f32_4x1};

// Which way a layer's vectors lie. It decides the tiles, and so how weights are packed. Tiles across groups have rows
// of several groups, which have one channel in and one out.
enum class Vectors : uint8_t { kAlongTime, kAlongChannels, kAcrossGroups };

// The most rows that any tile has.
inline constexpr int32_t kMostTileRows = 24;

// The tile to start with when `channels` output channels are left, of a group or, across groups, of a layer.
const Tile& choose_tile(Vectors vectors, int32_t channels);

// Calls f(tile, o) for the tiles of `channels` output channels; o is the tile's first.
template <class F>
void for_each_tile(Vectors vectors, int32_t channels, const F& f) {
  for (int32_t o = 0; o < channels;) {
    const Tile& tile = choose_tile(vectors, channels - o);
    f(tile, o);
    o += tile.rows;
  }
}

// Into which of `parts` parts a group's tile goes that begins at output channel `o`.
constexpr int32_t part_of(int32_t o, int32_t parts, int32_t channels) {
  return static_cast<int32_t>(int64_t{o} * parts / channels);
}

// Outputs of a row up to which vectors along time would stay too empty.
inline constexpr int32_t kShortRow = 6;

// The better way for rows of `count` outputs, and the best for those of a stream.
Vectors choose_vectors(const Dimensions& layer, int32_t count);
Vectors choose_stream_vectors(const Dimensions& layer, int32_t count);

// Strips whose count is a multiple of this are computed without reading past their input, whatever tiles it takes.
int32_t exact_multiple(Vectors vectors, int32_t channels);

}  // namespace conv1d
