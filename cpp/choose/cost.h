// What a layer costs by each algorithm: counts of what its kernels do, each times what it took on one machine.
#pragma once

#include "options/params.h"

namespace conv1d {

// A constant of the relaxed build, or of others, where a madd is two instructions.
constexpr double in_build([[maybe_unused]] double relaxed, [[maybe_unused]] double other) {
#ifdef __wasm_relaxed_simd__
  return relaxed;
#else
  return other;
#endif
}

// Of the samples that windows hold, how many are not of the padding.
double share_of_samples(const Geometry& geometry);

// Nanoseconds for one image on one thread of the machine that the figures come from; elsewhere all scale alike, more or
// less, so what is compared is right. A layer that the algorithm cannot compute, or not well enough for 'auto', or
// would leave to the definition for its few samples, costs infinity.
double direct_cost(const Params& params, const Geometry& geometry);
double toom_cook_cost(const Params& params, const Geometry& geometry);
double fft_cost(const Params& params, const Geometry& geometry);

}  // namespace conv1d
