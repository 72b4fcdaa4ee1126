// Pieces of work, handed out to a pool of threads in stretches.
#pragma once

#include <algorithm>
#include <cstdint>

#include "choose/threads.h"
#include "thread_pool.h"

namespace conv1d {

// Pieces [begin, end).
struct Run {
  int32_t begin;
  int32_t end;
};

// Calls f(first, last, thread) for stretches of `run`, on up to `threads` threads.
template <class F>
void share(ThreadPool& pool, int threads, const Run& run, const F& f) {
  const int32_t count = run.end - run.begin;
  if (count <= 0) return;
  const int32_t runs = std::min(count, threads * kRunsPerThread);
  pool.parallel_for(runs, threads, [&](int index, int thread) {
    f(run.begin + static_cast<int32_t>(int64_t{count} * index / runs),
      run.begin + static_cast<int32_t>(int64_t{count} * (index + 1) / runs), thread);
  });
}

}  // namespace conv1d
