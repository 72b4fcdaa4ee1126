#include "choose/depth_first_schedule.h"

#include <algorithm>

namespace conv1d {
namespace {

constexpr double kCachedBytes = 1 << 20;   // that come and go within the caches
constexpr double kNanosecondsAByte = 0.1;  // of what does not
constexpr int64_t kLeastShare = 4;         // of warm-ups, for another thread
constexpr int64_t kUsualShare = 32;        // and for a run that can pause

}  // namespace

bool worth_depth_first(double bytes, double saved) {
  return bytes > kCachedBytes && (bytes - kCachedBytes) * kNanosecondsAByte > saved;
}

int32_t choose_segments(int64_t out_length, int64_t warm_up, int32_t batch, int threads) {
  const int64_t least = std::max<int64_t>(warm_up, kDepthFirstChunk);
  const int64_t most_for_threads = out_length / (kLeastShare * least);
  const int64_t for_threads = batch >= threads ? 1 : std::min<int64_t>(threads, most_for_threads);
  const int64_t segments = std::max(for_threads, out_length / (kUsualShare * least));
  return segments < 1 ? 1 : static_cast<int32_t>(segments);
}

}  // namespace conv1d
