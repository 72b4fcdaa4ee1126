// What an index left of 0 or right of L reads, for each padding mode.
#pragma once

#include <cstdint>

#include "operator/correlation.h"

namespace conv1d {

// The position in [0, length) that `index` reads, or -1 where it reads a zero. `index` lies no further outside than the
// mode allows (see resolve()); one past that limit by rounding up a tile reads a zero.
int64_t source_index(PaddingMode mode, int64_t index, int64_t length);

// destination[j] = row[first + j] for j in [0, count), padding resolved and float16 widened.
// `row` has `length` elements of `dtype`.
void copy_window(PaddingMode mode, DType dtype, const void* row, int64_t length, int64_t first, int64_t count,
                 float* destination);

// The same of every step-th position: destination[j] = row[first + j * step].
void pick_window(PaddingMode mode, DType dtype, const void* row, int64_t length, int64_t first, int64_t step,
                 int64_t count, float* destination);

// The transpose of copy_window(): row[p] += the sum of window[j] over all j in [0, count) for which first + j reads p.
void fold_window(PaddingMode mode, const float* window, int64_t first, int64_t count, int64_t length, float* row);

}  // namespace conv1d
