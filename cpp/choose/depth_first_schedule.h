// When a network goes depth first, and how its signal is cut then.
#pragma once

#include <cstdint>

namespace conv1d {

// Samples that go through all steps at once.
inline constexpr int32_t kDepthFirstChunk = 256;

// Whether to: step by step, signals of `bytes` in all are written and read between steps, and other methods than the
// direct one save `saved` nanoseconds.
bool worth_depth_first(double bytes, double saved);

// Segments of a signal of `out_length` outputs, each of which computes `warm_up` samples more than its own.
int32_t choose_segments(int64_t out_length, int64_t warm_up, int32_t batch, int threads);

}  // namespace conv1d
