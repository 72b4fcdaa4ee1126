// Direct convolution kernels, float32, vectors along time.
#pragma once

#include "kernels/strip.h"

namespace conv1d {

// <rows>x<outputs held in registers>.
void dense_f32_6x8(const Strip& strip);
void dense_f32_4x8(const Strip& strip);
void dense_f32_3x12(const Strip& strip);
void dense_f32_2x24(const Strip& strip);
void dense_f32_2x16(const Strip& strip);
void dense_f32_1x48(const Strip& strip);
void dense_f32_1x32(const Strip& strip);

}  // namespace conv1d
