// Direct convolution kernels, float32, for channels that read one row each: vectors along the channels.
#pragma once

#include "kernels/strip.h"

namespace conv1d {

// <rows>x<outputs held in registers>. `offsets` are [depth][rows]: each row reads at its own. Nothing is read past what
// outputs need.
void depthwise_f32_4x1(const Strip& strip);

}  // namespace conv1d
