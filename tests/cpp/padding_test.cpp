#include "operator/padding.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "half.h"
#include "test_layer.h"

namespace conv1d {
namespace {

constexpr PaddingMode kModes[] = {PaddingMode::kZeros, PaddingMode::kReflect, PaddingMode::kReplicate,
                                  PaddingMode::kCircular};

// What positions -3 to 6 of the row "abcd" read; a dot is a zero.
TEST(Padding, IsWhatItsModeSays) {
  struct Row {
    PaddingMode mode;
    const char* reads;
  };
  constexpr Row kRows[] = {{PaddingMode::kZeros, "...abcd..."},
                           {PaddingMode::kReflect, "dcbabcdcba"},
                           {PaddingMode::kReplicate, "aaaabcdddd"},
                           {PaddingMode::kCircular, "bcdabcdabc"}};
  for (const Row& row : kRows) {
    std::string reads;
    for (int64_t i = -3; i <= 6; ++i) {
      const int64_t at = source_index(row.mode, i, 4);
      reads += at < 0 ? '.' : static_cast<char>('a' + at);
    }
    EXPECT_EQ(reads, row.reads);
  }
}

TEST(Padding, PastWhatTheModeAllowsIsZero) {
  EXPECT_EQ(source_index(PaddingMode::kReflect, -4, 4), -1);
  EXPECT_EQ(source_index(PaddingMode::kReflect, 7, 4), -1);
  EXPECT_EQ(source_index(PaddingMode::kCircular, -5, 4), -1);
  EXPECT_EQ(source_index(PaddingMode::kCircular, 8, 4), -1);
  EXPECT_EQ(source_index(PaddingMode::kReflect, -1, 1), -1);
  EXPECT_EQ(source_index(PaddingMode::kReplicate, -1000, 1), 0);
}

// Calls f(mode, length, first, step, count) with windows inside, across both ends and far outside of short and long
// rows.
template <class F>
void for_each_window(const F& f) {
  std::mt19937 random(1);
  const auto draw = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  for (const PaddingMode mode : kModes) {
    for (const int64_t length : {1, 2, 3, 4, 17, 700}) {
      for (const int64_t step : {1, 2, 3, 4, 5, 63, 64, 65, 600}) {
        for (int trial = 0; trial < 12; ++trial) {
          f(mode, length, draw(-2 * length - 9, 2 * length + 9), step, draw(0, trial < 6 ? 9 : 2 * length));
        }
        f(mode, length, 0, step, (length - 1) / step + 1);
      }
    }
  }
}

TEST(Padding, WindowsAreReadSampleBySample) {
  for_each_window([](PaddingMode mode, int64_t length, int64_t first, int64_t step, int64_t count) {
    const auto row = random_values(static_cast<size_t>(length), 2);
    std::vector<uint16_t> halves(row.size());
    floats_to_halves(row.data(), halves.data(), row.size());
    std::vector<float> expected(static_cast<size_t>(count));
    std::vector<float> expected_of_halves(expected.size());
    for (size_t j = 0; j < expected.size(); ++j) {
      const int64_t at = source_index(mode, first + static_cast<int64_t>(j) * step, length);
      if (at < 0) continue;
      expected[j] = row[static_cast<size_t>(at)];
      expected_of_halves[j] = half_to_float(halves[static_cast<size_t>(at)]);
    }
    const std::string what = "mode " + std::to_string(static_cast<int>(mode)) + ", length " + std::to_string(length) +
                             ", " + std::to_string(count) + " from " + std::to_string(first) + ", step " +
                             std::to_string(step);
    std::vector<float> window(expected.size());
    pick_window(mode, DType::kFloat32, row.data(), length, first, step, count, window.data());
    EXPECT_EQ(window, expected) << what;
    pick_window(mode, DType::kFloat16, halves.data(), length, first, step, count, window.data());
    EXPECT_EQ(window, expected_of_halves) << what << ", float16";
  });
}

// <window of x, y> = <x, y folded>, in small integers.
TEST(Padding, FoldingIsTheTransposeOfReading) {
  for_each_window([](PaddingMode mode, int64_t length, int64_t first, int64_t step, int64_t count) {
    if (step > 1) return;
    std::vector<float> x(static_cast<size_t>(length));
    std::vector<float> y(static_cast<size_t>(count));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7 % 11) - 5;
    for (size_t j = 0; j < y.size(); ++j) y[j] = static_cast<float>(j * 5 % 13) - 6;
    std::vector<float> window(y.size());
    copy_window(mode, DType::kFloat32, x.data(), length, first, count, window.data());
    std::vector<float> folded(x.size());
    fold_window(mode, y.data(), first, count, length, folded.data());
    float there = 0;
    float back = 0;
    for (size_t j = 0; j < y.size(); ++j) there += window[j] * y[j];
    for (size_t i = 0; i < x.size(); ++i) back += x[i] * folded[i];
    EXPECT_EQ(there, back) << length << " samples, " << count << " from " << first;
  });
}

}  // namespace
}  // namespace conv1d
