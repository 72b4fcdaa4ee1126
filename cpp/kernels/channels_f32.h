// Direct convolution kernels, float32, vectors along output channels: for rows too short to fill a vector.
#pragma once

#include "kernels/strip.h"

namespace conv1d {

// <rows>x<outputs held in registers>. They read no float beyond what the outputs need.
void channels_f32_24x2(const Strip& strip);
void channels_f32_8x6(const Strip& strip);
void channels_f32_4x6(const Strip& strip);

}  // namespace conv1d
