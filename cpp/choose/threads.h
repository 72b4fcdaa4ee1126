// When work is worth sharing.
#pragma once

#include "operator/correlation.h"

namespace conv1d {

// Of `threads` threads, how many are worth waking for a layer.
int worth_threads(const Correlation& layer, int threads);

// Pieces are handed out in runs, about this many a thread: few enough that handing out costs nothing.
inline constexpr int32_t kRunsPerThread = 8;

// The most multiplications of a piece: a run can pause only between pieces, and this many take some ten milliseconds.
inline constexpr double kLongestPiece = 200e6;

// Elements of a piece of what a network does element by element.
inline constexpr int32_t kElementwisePiece = 32768;

}  // namespace conv1d
