// The definition of the layer in plain loops, float64: what every other kernel is measured against.
#pragma once

#include "options/params.h"

namespace conv1d {

// output[n][o][t] = bias[o] + sum over c, k: weight[o][c][k] * padded(input[n][c])[t * stride + k * dilation -
// pad_left], before activation; bound[n][o][t] is the same sum of absolute values, which rounding errors are
// proportional to. Arrays are float64 and row-major; `bias` and `bound` may be null.
void reference_conv1d(const Params& params, const Geometry& geometry, const double* input, const double* weight,
                      const double* bias, double* output, double* bound);

}  // namespace conv1d
