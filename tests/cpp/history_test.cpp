#include "passes/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "test_layer.h"

namespace conv1d {
namespace {

constexpr int32_t kRows = 3;

// All samples that a history got, in the plainest form.
class Model {
 public:
  explicit Model(int64_t zeros) : rows_(kRows, std::vector<float>(static_cast<size_t>(zeros))) {}

  void append(const std::vector<float>& source, size_t row_stride, int32_t count) {
    for (size_t r = 0; r < kRows; ++r) {
      const auto row = source.begin() + static_cast<ptrdiff_t>(r * row_stride);
      rows_[r].insert(rows_[r].end(), row, row + count);
    }
  }
  int64_t size() const { return static_cast<int64_t>(rows_[0].size()); }
  float at(int32_t row, int64_t q) const { return q < 0 ? 0 : rows_[static_cast<size_t>(row)][static_cast<size_t>(q)]; }

 private:
  std::vector<std::vector<float>> rows_;
};

// Every stretch of what the history still holds is there, once as copy() gives it and once where kernels read it.
void expect_same(const History& history, const Model& model, int32_t phases) {
  ASSERT_EQ(history.size(), model.size());
  const int64_t end = model.size();
  for (int32_t row = 0; row < kRows; ++row) {
    for (int64_t begin = end - history.kept(); begin <= end; ++begin) {
      std::vector<float> expected;
      for (int64_t q = begin; q < end; ++q) expected.push_back(model.at(row, q));
      std::vector<float> copied(expected.size());
      history.copy(row, begin, static_cast<int32_t>(copied.size()), copied.data());
      ASSERT_EQ(copied, expected) << "row " << row << " from " << begin;
      if (begin < 0) continue;
      const float* plane =
          history.at(row, begin / phases) + static_cast<size_t>(begin % phases) * history.plane_pitch();
      for (int64_t q = begin, i = 0; q < end; q += phases, ++i) {
        ASSERT_EQ(plane[i], model.at(row, q)) << "row " << row << ", sample " << q << " after " << begin;
      }
    }
  }
}

TEST(History, HoldsTheLatestSamplesHoweverTheyCame) {
  constexpr int32_t kMore = 7;
  std::mt19937 random(1);
  const auto draw = [&](int32_t least, int32_t most) {
    return std::uniform_int_distribution<int32_t>(least, most)(random);
  };
  for (const int32_t phases : {1, 2, 3, 5}) {
    for (const int64_t kept : {1, 4, 23}) {
      History history;
      ASSERT_TRUE(history.allocate(kRows, phases, kept, kMore));
      const int64_t zeros = draw(0, 9);
      history.clear(zeros);
      Model model(zeros);
      for (int push = 0; push < 60; ++push) {
        const int32_t count = draw(0, kMore);
        const size_t row_stride = kMore + static_cast<size_t>(draw(0, 2));
        const auto source = random_values(kRows * row_stride, random());
        history.append(source.data(), row_stride, count, false);
        model.append(source, row_stride, count);
        expect_same(history, model, phases);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(History, ContinuesFromWhatItSaved) {
  for (const int32_t phases : {1, 3}) {
    for (const int32_t samples : {2, 8, 40}) {  // less than it keeps, as many, more
      History history;
      History other;
      ASSERT_TRUE(history.allocate(kRows, phases, 8, 40));
      ASSERT_TRUE(other.allocate(kRows, phases, 8, 11));  // room for other pushes
      Model model(0);
      const auto source = random_values(kRows * size_t{40}, 1);
      history.append(source.data(), 40, samples, false);
      model.append(source, 40, samples);
      std::vector<float> latest(static_cast<size_t>(history.kept_floats()));
      history.save(latest.data());
      other.append(source.data(), 40, 5, false);  // which it forgets
      other.restore(latest.data(), history.size());
      expect_same(other, model, phases);
      other.append(source.data(), 40, 11, false);
      model.append(source, 40, 11);
      expect_same(other, model, phases);
    }
  }
}

TEST(History, SettlesOnOneSampleARow) {
  for (const int32_t phases : {1, 4}) {
    History history;
    ASSERT_TRUE(history.allocate(kRows, phases, 9, 3));
    const std::vector<float> sample = {1.5F, -2, 0x1p-101F};
    history.settle(sample.data(), 1, 1000, true);
    EXPECT_EQ(history.size(), 1000);
    for (int64_t q = 991; q < 1000; ++q) {
      EXPECT_EQ(history.get(0, q), 1.5F);
      EXPECT_EQ(history.get(1, q), -2.0F);
      EXPECT_EQ(history.get(2, q), 0.0F);
    }
  }
}

TEST(History, DropsTinySamplesWhereAskedTo) {
  const float tiny = 0x1.fffffep-101F;
  const float least = 0x1p-100F;
  for (const int32_t phases : {1, 2}) {
    for (const int32_t count : {1, 6, 11}) {  // fewer than a vector, one and a half, and those of two planes
      std::vector<float> source(kRows * static_cast<size_t>(count), tiny);
      source.back() = -least;
      for (const bool flush : {true, false}) {
        History history;
        ASSERT_TRUE(history.allocate(kRows, phases, count, count));
        history.append(source.data(), static_cast<size_t>(count), count, flush);
        EXPECT_EQ(history.get(0, 0), flush && count * kRows > 1 ? 0 : tiny);
        EXPECT_EQ(history.get(kRows - 1, count - 1), -least);
      }
    }
  }
}

TEST(History, RefusesWhatNoMemoryHolds) {
  History history;
  EXPECT_FALSE(history.allocate(1000, 1, int64_t{1} << 40, 1));
}

}  // namespace
}  // namespace conv1d
