// parallel_for over a fixed set of threads. Knows nothing of convolution.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <vector>

#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)
#define CONV1D_THREADS 1
#include <thread>
#endif

namespace conv1d {

class ThreadPool {
 public:
  // `threads` >= 1 counts the calling thread, which always takes part; without thread support it is 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls f(index, thread) once for every index in [0, count), thread in [0, min(limit, threads())), and returns when
  // all are done. Allocates nothing. The caller never sleeps: it works until no index is left, then spins for as long
  // as another thread needs for the index it is on; a thread that woke too late is not waited for.
  // One call at a time.
  template <class F>
  void parallel_for(int count, [[maybe_unused]] int limit, const F& f) {
    static_assert(std::is_invocable_v<const F&, int, int>);
#ifdef CONV1D_THREADS
    if (limit > 1 && count > 1 && threads_ > 1) {
      run(
          count, limit, [](const void* context, int i, int thread) { (*static_cast<const F*>(context))(i, thread); },
          &f);
      return;
    }
#endif
    for (int i = 0; i < count; ++i) f(i, 0);
  }

 private:
  int threads_;
#ifdef CONV1D_THREADS
  using Task = void (*)(const void* context, int index, int thread);
  void run(int count, int limit, Task task, const void* context);
  void work(int thread);
  void loop(int thread);

  Task task_ = nullptr;
  const void* context_ = nullptr;
  int count_ = 0;
  int limit_ = 0;
  std::atomic<int> next_{0};
  // The gate: kOpen while a job can be joined, plus the number of workers that are inside. The fields above change only
  // while it is 0, so a worker that wakes late can never mix two jobs.
  std::atomic<uint32_t> gate_{0};
  std::atomic<uint32_t> epoch_{0};  // changes with each job; workers sleep on it
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
#endif
};

}  // namespace conv1d
