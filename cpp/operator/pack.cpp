#include "operator/pack.h"

#include <cstring>

#include "half.h"

namespace conv1d {
namespace {

template <class T, class ToFloat>
void pack(const Params& params, Vectors vectors, const T* weights, float* panels, ToFloat to_float) {
  const auto depth = static_cast<size_t>(params.group_in()) * params.kernel_size;
  for (int32_t g = 0; g < params.groups; ++g) {
    for (int32_t o = 0; o < params.group_out();) {
      const auto rows = static_cast<size_t>(choose_tile(vectors, params.group_out() - o).rows);
      for (size_t i = 0; i < depth; ++i) {
        for (size_t r = 0; r < rows; ++r) panels[i * rows + r] = to_float(weights[r * depth + i]);
      }
      weights += rows * depth;
      panels += rows * depth;
      o += static_cast<int32_t>(rows);
    }
  }
}

}  // namespace

void pack_weights(const Params& params, Vectors vectors, const void* weights, float* panels) {
  if (params.dtype == DType::kFloat32) {
    pack(params, vectors, static_cast<const float*>(weights), panels, [](float w) { return w; });
  } else {
    pack(params, vectors, static_cast<const uint16_t*>(weights), panels, half_to_float);
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
