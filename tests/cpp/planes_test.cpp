#include "operator/planes.h"

#include <gtest/gtest.h>

#include <vector>

#include "integers.h"
#include "test_layer.h"

namespace conv1d {
namespace {

TEST(Planes, APitchHasRoomToReadPastARowAndMissesPowersOfTwo) {
  for (int64_t samples = 0; samples < 3000; ++samples) {
    const int64_t pitch = pitch_of(samples);
    ASSERT_GE(pitch, samples + kOverRead);
    ASSERT_LE(pitch, samples + kOverRead + 3 + 16);
    ASSERT_EQ(pitch % 4, 0);
    ASSERT_NE(pitch % 256, 0);
  }
}

// From arrays that end with the last sample.
TEST(Planes, PickEveryStepthSample) {
  for (const int64_t step : {1, 2, 3, 4, 5, 8, 100}) {
    for (int64_t count = 1; count <= 21; ++count) {
      const auto source = random_values(static_cast<size_t>((count - 1) * step + 1), 1);
      std::vector<float> expected(static_cast<size_t>(count));
      for (size_t j = 0; j < expected.size(); ++j) expected[j] = source[j * static_cast<size_t>(step)];
      std::vector<float> picked(expected.size());
      pick(source.data(), step, count, picked.data());
      EXPECT_EQ(picked, expected) << "every " << step << "th, " << count << " of them";
    }
  }
}

TEST(Planes, SplitByFourAndMergeAreInverse) {
  for (int32_t count = 1; count <= 41; ++count) {
    const auto tiles = static_cast<size_t>(round_up(ceil_div(count, 4), 4));
    const size_t row_stride = tiles + 3;
    const auto source = random_values(4 * tiles, 1);
    std::vector<float> rows(3 * row_stride + tiles);
    split_by_4(source.data(), ceil_div(count, 4), rows.data(), row_stride);
    for (size_t t = 0; t < source.size(); ++t) {
      ASSERT_EQ(rows[t % 4 * row_stride + t / 4], source[t]) << count << " samples, at " << t;
    }
    std::vector<float> merged(static_cast<size_t>(count));
    merge_by_4(rows.data(), row_stride, merged.size(), merged.data());
    EXPECT_EQ(merged, std::vector<float>(source.begin(), source.begin() + count)) << count << " samples";
  }
}

TEST(Planes, SplittingReadsNoFurtherThanItSays) {
  const auto source = random_values(4 * 5 + kSplitOverRead, 1);
  std::vector<float> rows(size_t{4} * 8);
  split_by_4(source.data(), 5, rows.data(), 8);
  EXPECT_EQ(rows[8 + 4], source[4 * 4 + 1]);
}

}  // namespace
}  // namespace conv1d
