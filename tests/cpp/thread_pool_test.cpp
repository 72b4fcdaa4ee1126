#include "thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace conv1d {
namespace {

TEST(ThreadPool, CallsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (const int count : {0, 1, 2, 5, 64, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      pool.parallel_for(count, threads, [&](int i, int thread) {
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, threads);
        calls[static_cast<size_t>(i)].fetch_add(1);
      });
      for (const auto& n : calls) EXPECT_EQ(n.load(), 1);
    }
  }
}

// What one job writes without synchronisation, the next reads: jobs must not overlap or reorder.
TEST(ThreadPool, JobsFollowEachOther) {
  ThreadPool pool(4);
  std::vector<int> values(64, 0);
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(64, 4, [&](int i, int) { values[static_cast<size_t>(i)] += 1; });
    pool.parallel_for(64, 4, [&](int i, int) { EXPECT_EQ(values[static_cast<size_t>((i + 1) % 64)], round + 1); });
  }
}

TEST(ThreadPool, WakesAfterSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> sum = 0;
    pool.parallel_for(10, 3, [&](int i, int) { sum += i; });
    EXPECT_EQ(sum.load(), 45);
  }
}

TEST(ThreadPool, OtherThreadsTakePart) {
  ThreadPool pool(2);
  std::atomic<int> inside = 0;
  // Neither index ends before both have begun, so they cannot be on one thread.
  pool.parallel_for(2, 2, [&](int, int) {
    inside.fetch_add(1);
    while (inside.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(inside.load(), 2);
}

TEST(ThreadPool, KeepsToTheLimit) {
  ThreadPool pool(4);
  for (int round = 0; round < 100; ++round) {
    pool.parallel_for(100, 2, [&](int, int thread) { EXPECT_LT(thread, 2); });
  }
}

}  // namespace
}  // namespace conv1d
