// What a layer costs by each algorithm: counts of what its kernels do, each times what it took on one machine.
#pragma once

#include "operator/correlation.h"

namespace conv1d {

// Nanoseconds for one image on one thread of the machine that the figures come from; elsewhere all scale alike, more or
// less, so what is compared is right. A layer that the algorithm cannot compute, or not well enough for 'auto', or
// would leave to the definition for its few samples, costs infinity.
double direct_cost(const Correlation& layer);
double toom_cook_cost(const Correlation& layer);
double fft_cost(const Correlation& layer);

}  // namespace conv1d
