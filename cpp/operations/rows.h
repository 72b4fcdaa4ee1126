// Rows of samples, added up.
#pragma once

#include <cstdint>

namespace conv1d {

// sums[i] += row[i].
void add_row(const float* row, int64_t count, float* sums);

}  // namespace conv1d
