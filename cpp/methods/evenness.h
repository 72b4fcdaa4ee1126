// Whether samples may share a rounding error.
//
// A transform rounds what all outputs of a block share, relative to the largest of its samples. Where one of them is
// NaN, infinite or far larger than the others, that would spoil outputs which do not even see it; and where an output
// sees nothing but zeros, any error is too much. So a block is examined before it is transformed, by the magnitudes of
// its samples: in a signal without such samples the largest of four neighbours varies little, and between a thousandth
// and the largest of all there is no factor of two that is never met.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conv1d {

// sums[i] += |x[i]|, i < n.
void add_magnitudes(const float* x, size_t n, float* sums);

// How much larger than all else that an output sees the sum of magnitudes over `rows` rows may be before it spoils the
// output: one row's sample may be 2^9 times larger than the other rows'.
float allowed_ratio(int32_t rows);

// Sums of magnitudes from here on overflow in a transform, and those below, but for 0, are too small for one.
inline constexpr float kLargestMagnitude = 0x1p100F;
inline constexpr float kSmallestMagnitude = 0x1p-100F;

enum class Evenness : uint8_t {
  kEven,    // a transform's error is small for every output
  kSilent,  // all are zero
  kUneven,
};

// Up to so many rows each is judged by itself, for the others' samples may hide what stands out in one.
inline constexpr int32_t kFewRows = 4;

// So few samples other than zeros are not worth a transform.
inline constexpr int32_t kSparse = 8;

// Judges `n` samples of one row, or sums of the magnitudes of `rows`, of which an output sees at least `window` in
// turn.
Evenness judge(const float* x, size_t n, int32_t rows, int32_t window);

// Samples of a row that a transform is better off without: few that stand out, and outputs that see only zeros.
struct Exceptions {
  struct Outlier {
    int32_t at;
    float value;
  };
  struct Stretch {
    int32_t begin;
    int32_t end;
  };
  static constexpr int32_t kMostOutliers = 32;
  static constexpr int32_t kMostStretches = 8;

  int32_t outlier_count = 0;
  Outlier outliers[kMostOutliers];
  int32_t silent_count = 0;
  Stretch silent[kMostStretches];  // of outputs: output t sees samples t to t + window - 1
};

// Finds them in a row that judge() found uneven and puts zeros in place of the outliers. False where there are too
// many, or too many loud samples beside them: then those found are not all.
bool find_exceptions(float* x, size_t n, int32_t window, Exceptions* exceptions);

}  // namespace conv1d
