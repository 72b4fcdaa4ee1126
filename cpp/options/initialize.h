// Random initial weights, repeatable from a seed.
#pragma once

#include <cstdint>

#include "options/params.h"

namespace conv1d {

// Fills a layer's weight and bias (params.dtype; bias null when the layer has none).
// kMegEngine: weight normal with mean 0 and std sqrt(1 / (kernel_size * in_channels)), bias 0 (MegEngine's
// module/conv.py). kPyTorch: both uniform in +-1 / sqrt(group_in * kernel_size) (PyTorch's nn/modules/conv.py).
void initialize(const Params& params, InitScheme scheme, uint64_t seed, void* weight, void* bias);

}  // namespace conv1d
