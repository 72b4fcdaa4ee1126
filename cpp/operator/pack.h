// Weights -> panels.
//
// The output channels of a group, or all where tiles lie across groups, are cut into tiles (choose/tiles.h), here of 6
// rows. Each tile's weights are one panel, read by its kernel from front to back:
//
//     c = 0                                        c = 1
//     k = 0           k = 1           ...          k = 0           ...
//     [r0 r1 .. r5]   [r0 r1 .. r5]                [r0 r1 .. r5]
//
// Panels follow each other in channel order, so a panel starts where its first weight would stand unpacked.
#pragma once

#include "choose/tiles.h"
#include "operator/weight_view.h"

namespace conv1d {

// `panels` takes layer.weight_size() floats.
void pack_weights(const Dimensions& layer, Vectors vectors, const WeightView& weights, float* panels);

// `count` elements of `dtype` as floats.
void widen(DType dtype, const void* source, float* destination, size_t count);

}  // namespace conv1d
