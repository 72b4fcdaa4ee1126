// How long kernels are partitioned in streams (passes/partitioned.h).
#pragma once

#include <cstdint>

#include "options/params.h"

namespace conv1d {

// Samples of a partition for streams of a layer in pieces of up to `longest` samples, or 0 where the direct kernels
// are to do all of it: they are faster, or the layer has 'auto' and the spectra of its taps would take more than
// 128 MB.
int32_t choose_partition(const Params& params, int32_t longest);

// Samples to keep of a layer's signal, beside those of a push, so that it can go on from them with any partition that
// may be chosen, or none.
int64_t kept_samples(const Params& params);

// Samples after which the next part of the work is due: as many as an audio worklet pushes.
inline constexpr int32_t kStepSamples = 128;

// The first tap of those whose lag is less than `partition`, which are computed directly.
int32_t first_head_tap(const Dimensions& layer, int32_t partition);

}  // namespace conv1d
