#include "operator/pack.h"

#include <cstring>

namespace conv1d {

namespace {

template <class T, class ToFloat>
void pack(const Dimensions& layer, Vectors vectors, const WeightView& weights, float* panels, ToFloat to_float) {
  const auto* all = static_cast<const T*>(weights.base);
  const bool across = vectors == Vectors::kAcrossGroups;
  const int64_t next_row = across ? weights.group : weights.out;
  for (int32_t g = 0; g < (across ? 1 : layer.groups); ++g) {
    for_each_tile(vectors, across ? layer.groups : layer.group_out(), [&](const Tile& tile, int32_t o) {
      for (int32_t c = 0; c < layer.group_in(); ++c) {
        const T* row = all + weights.row(g, 0, c) + o * next_row;
        for (int32_t k = 0; k < layer.kernel_size; ++k, row += weights.tap) {
          for (int32_t r = 0; r < tile.rows; ++r) *panels++ = to_float(row[r * next_row]);
        }
      }
    });
  }
}

}  // namespace

void pack_weights(const Dimensions& layer, Vectors vectors, const WeightView& weights, float* panels) {
  if (weights.dtype == DType::kFloat32) {
    pack<float>(layer, vectors, weights, panels, [](float w) { return w; });
  } else {
    pack<uint16_t>(layer, vectors, weights, panels, half_to_float);
  }
}

void widen(DType dtype, const void* source, float* destination, size_t count) {
  if (dtype == DType::kFloat32) {
    std::memcpy(destination, source, count * sizeof(float));
  } else {
    halves_to_floats(static_cast<const uint16_t*>(source), destination, count);
  }
}

}  // namespace conv1d
