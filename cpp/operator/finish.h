// What happens to finished rows of sums on their way to the output.
#pragma once

#include <cstddef>
#include <cstdint>

#include "options/params.h"

namespace conv1d {

// Applies the activation to `count` floats of each of `rows` rows at `sums`, `row_stride` floats apart, in place. Rows
// of float16 are rounded and written from element `at` of `output` on, `out_stride` elements apart; float32 sums are
// where they belong already.
void finish_rows(const Params& params, float* sums, size_t row_stride, size_t rows, size_t count, void* output,
                 size_t at, size_t out_stride);

// Applies the activation to `count` sums of one row, in place, and writes them to elements `at`, `at` + `step`, ... of
// `output`, rounded where that is float16.
void write_row(const Params& params, float* sums, size_t count, void* output, size_t at, size_t step);

}  // namespace conv1d
