// Which class the gradient of a weight is.
#pragma once

#include <memory>

#include "errors.h"
#include "methods/weight_gradient.h"
#include "operator/correlation.h"
#include "options/params.h"

namespace conv1d {

// On up to `threads` threads, by FFT where `wanted` is that or kAuto and it can be. Fails with ERR_OUT_OF_MEMORY.
Result<std::unique_ptr<WeightGradient>> make_weight_gradient(Algorithm wanted, const Correlation& correlation,
                                                             int threads);

}  // namespace conv1d
