// Rows of samples as kernels read them: how far apart they lie, and how one phase of a signal becomes one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

// Floats that a kernel may read past a row.
inline constexpr int32_t kOverRead = 4;

// Floats from a row of `samples` to the next. Rows a multiple of 1 KB apart would compete for the same few lines of the
// L1 cache.
constexpr int64_t pitch_of(int64_t samples) {
  const int64_t pitch = (samples + kOverRead + 3) / 4 * 4;
  return pitch % 256 == 0 ? pitch + 16 : pitch;
}

// destination[j] = source[j * step], j in [0, count). Nothing is read past the last of them.
void pick(const float* source, int64_t step, int64_t count, float* destination);

// Floats that split_by_4() may read past its source.
inline constexpr int32_t kSplitOverRead = 12;

// rows[a * row_stride + i] = source[4 * i + a], i in [0, count) rounded up to a multiple of 4, a in [0, 4).
void split_by_4(const float* source, int32_t count, float* rows, size_t row_stride);

// The other way: destination[4 * i + a] = rows[a * row_stride + i], exactly the first `count` floats of destination.
// Rows are read up to a multiple of 4.
void merge_by_4(const float* rows, size_t row_stride, size_t count, float* destination);

}  // namespace conv1d
