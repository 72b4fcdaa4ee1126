// Rows of samples, added up.
#pragma once

#include <cstdint>

namespace conv1d {

// sums[i] += row[i].
void add_row(const float* row, int64_t count, float* sums);

// sums[i] += a[i] * b[i].
void add_product(const float* a, const float* b, int64_t count, float* sums);

}  // namespace conv1d
