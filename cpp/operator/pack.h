// Weights -> panels.
//
// The output channels of a group are cut into tiles (kernel_table.h), here of 6 rows. Each tile's weights are
// one panel, read by its kernel from front to back:
//
//     c = 0                                        c = 1
//     k = 0           k = 1           ...          k = 0           ...
//     [r0 r1 .. r5]   [r0 r1 .. r5]                [r0 r1 .. r5]
//
// Panels follow each other in channel order, so a panel starts where its first weight would stand unpacked.
#pragma once

#include "choose/kernel_table.h"
#include "options/params.h"

namespace conv1d {

// `weights` holds params.weight_size() elements of params.dtype, (groups, group_out, group_in, kernel_size);
// `panels` takes as many floats.
void pack_weights(const Params& params, Vectors vectors, const void* weights, float* panels);

// `count` elements of `dtype` as floats.
void widen(DType dtype, const void* source, float* destination, size_t count);

}  // namespace conv1d
