#include "thread_pool.h"

#include <algorithm>

namespace conv1d {

#ifdef CONV1D_THREADS
namespace {

constexpr uint32_t kOpen = 1U << 31;
// Rounds a worker spins before it sleeps: some tens of microseconds, for another's last piece of work and the gap
// between two layers of a model. To wake one that sleeps takes as long.
constexpr int kSpins = 100000;

void sleep_while_equal(std::atomic<uint32_t>& word, uint32_t value) {
#if defined(__EMSCRIPTEN__)
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&word), static_cast<int>(value), -1);
#else
  word.wait(value);
#endif
}

void wake_all(std::atomic<uint32_t>& word) {
#if defined(__EMSCRIPTEN__)
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&word), ~0U);
#else
  word.notify_all();
#endif
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(std::max(1, threads)) {
  workers_.reserve(static_cast<size_t>(threads_ - 1));
  for (int i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { loop(i); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  wake_all(epoch_);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int count, int limit, Task task, const void* context) {
  task_ = task;
  context_ = context;
  count_ = count;
  limit_ = limit;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(kOpen);
  epoch_.fetch_add(1);
  wake_all(epoch_);
  work(0);
  // Whoever has not come in by now finds the gate shut and nothing left to do.
  gate_.fetch_and(~kOpen);
  while (gate_.load() != 0) pause();
}

void ThreadPool::work(int thread) {
  for (int i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) task_(context_, i, thread);
}

void ThreadPool::loop(int thread) {
  uint32_t seen = 0;
  while (!stop_.load()) {
    uint32_t gate = gate_.load();
    while ((gate & kOpen) != 0 && !gate_.compare_exchange_weak(gate, gate + 1)) {
    }
    if ((gate & kOpen) != 0) {
      seen = epoch_.load();
      if (thread < limit_) work(thread);
      gate_.fetch_sub(1);
    }
    for (int i = 0; i < kSpins && epoch_.load(std::memory_order_relaxed) == seen; ++i) pause();
    sleep_while_equal(epoch_, seen);
    seen = epoch_.load();
  }
}

#else

ThreadPool::ThreadPool(int) : threads_(1) {}
ThreadPool::~ThreadPool() = default;

#endif

}  // namespace conv1d
