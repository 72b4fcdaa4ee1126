// The kernels on their own, each held to the contract in its header. Arrays are exactly as large as that contract says,
// so that AddressSanitizer sees any read or write beyond.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "choose/tiles.h"
#include "integers.h"
#include "kernels/spectra_f32.h"
#include "kernels/toom_cook_f32.h"
#include "simd.h"
#include "test_layer.h"

namespace conv1d {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 12345;

// a * b + c, rounded as the kernels of this build round it.
float madd_one(float a, float b, float c) {
  float result[4];
  wasm_v128_store(result, madd(wasm_f32x4_splat(a), wasm_f32x4_splat(b), wasm_f32x4_splat(c)));
  return result[0];
}

// The tiles of all builds.
constexpr const Tile* kTiles[] = {&kDense6x8,  &kDense4x8,     &kDense3x12,   &kDense2x24,   &kDense2x16,   &kDense1x48,
                                  &kDense1x32, &kChannels24x2, &kChannels8x6, &kChannels4x6, &kDepthwise4x1};

class Strips : public testing::TestWithParam<const Tile*> {
 protected:
  // Floats that the kernel may read past what `count` outputs need.
  static int32_t over_read(int32_t count) {
    const bool along_time = std::string(GetParam()->name).starts_with("dense");
    return count % 4 == 0 || !along_time ? 0 : 3;
  }

  // Runs the kernel on random numbers, whose sums are `depth` products long, and compares every bit.
  static void expect_definition(int32_t depth, int32_t count, size_t row_stride) {
    const Tile& tile = *GetParam();
    const auto rows = static_cast<size_t>(tile.rows);
    std::mt19937 random(static_cast<uint32_t>(depth * 1000 + count));
    const size_t readers = GetParam() == &kDepthwise4x1 ? rows : 1;  // rows that have offsets of their own
    std::vector<int32_t> offsets(static_cast<size_t>(depth) * readers);
    for (int32_t& offset : offsets) offset = std::uniform_int_distribution<int32_t>(0, 70)(random);
    const auto weights = random_values(static_cast<size_t>(depth) * rows, random());
    const auto bias = random_values(rows, random());
    const int32_t needed = depth == 0 ? 0 : *std::ranges::max_element(offsets) + count;
    auto input = random_values(static_cast<size_t>(needed), random());
    // What may be read there and is not needed changes no output.
    if (depth > 0) input.resize(input.size() + static_cast<size_t>(over_read(count)), kNan);
    std::vector<float> output((rows - 1) * row_stride + static_cast<size_t>(count), kUntouched);
    tile.run({.weights = weights.data(),
              .bias = bias.data(),
              .input = input.data(),
              .offsets = offsets.data(),
              .depth = depth,
              .output = output.data(),
              .row_stride = row_stride,
              .count = count});

    std::vector<float> expected(output.size(), kUntouched);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t t = 0; t < static_cast<size_t>(count); ++t) {
        float sum = bias[r];
        for (size_t i = 0; i < static_cast<size_t>(depth); ++i) {
          const int32_t offset = offsets[i * readers + r % readers];
          sum = madd_one(weights[i * rows + r], input[static_cast<size_t>(offset) + t], sum);
        }
        expected[r * row_stride + t] = sum;
      }
    }
    ASSERT_EQ(output, expected) << tile.name << ", depth " << depth << ", count " << count << ", row stride "
                                << row_stride;
  }
};

TEST_P(Strips, SumInOrderAndWriteExactlyCount) {
  for (int32_t count = 1; count <= 2 * GetParam()->width + 3; ++count) {
    for (const int32_t depth : {1, 2, 7, 40}) expect_definition(depth, count, static_cast<size_t>(count));
  }
}

TEST_P(Strips, OfDepthZeroAreTheBias) {
  for (int32_t count = 1; count <= 2 * GetParam()->width + 3; ++count) {
    expect_definition(0, count, static_cast<size_t>(count));
  }
}

TEST_P(Strips, LeaveWhatLiesBetweenRows) {
  for (const int32_t count : {1, 2, 3, 4, 5, 2 * GetParam()->width + 3}) {
    for (const size_t gap : {1, 3, 100}) expect_definition(3, count, static_cast<size_t>(count) + gap);
  }
}

std::string name_of_tile(const testing::TestParamInfo<const Tile*>& info) { return info.param->name; }

INSTANTIATE_TEST_SUITE_P(Kernels, Strips, testing::ValuesIn(kTiles), name_of_tile);

TEST(Kernels, TilesAreChosenForAllChannelsThatThereAre) {
  for (const Vectors vectors : {Vectors::kAlongTime, Vectors::kAlongChannels, Vectors::kAcrossGroups}) {
    for (int32_t channels = 1; channels <= 2 * kMostTileRows; ++channels) {
      int32_t next = 0;
      for_each_tile(vectors, channels, [&](const Tile& tile, int32_t o) {
        EXPECT_NE(std::ranges::find(kTiles, &tile), std::end(kTiles));
        EXPECT_LE(tile.rows, kMostTileRows);
        EXPECT_EQ(o, next);
        next += tile.rows;
      });
      EXPECT_EQ(next, channels);
    }
  }
}

class ToomForms : public testing::TestWithParam<int32_t> {};

TEST_P(ToomForms, TransformInputExactlyToAMultipleOfFourTiles) {
  const ToomForm& form = toom_form(GetParam());
  const auto points = static_cast<size_t>(form.points);
  for (const int32_t next : {1, 5}) {
    for (int32_t count = 1; count <= 9; ++count) {
      const auto tiles = static_cast<size_t>(round_up(count, 4));
      const size_t row_stride = tiles + 3 + static_cast<size_t>(next);
      // The last sample that a tile has: x[3] of the tile itself, or the last of those of the next one.
      const size_t end =
          std::max(3 * row_stride + tiles, (points - 1) % 4 * row_stride + static_cast<size_t>(next) + tiles);
      const auto rows = random_values(end, 1);
      const size_t pitch = tiles + 2;
      std::vector<float> transformed((points - 1) * pitch + tiles, kUntouched);
      std::vector<float> magnitudes(3 * row_stride + tiles, 1);
      form.transform_input({.rows = rows.data(),
                            .row_stride = row_stride,
                            .next = next,
                            .count = count,
                            .points = transformed.data(),
                            .point_stride = pitch,
                            .magnitudes = magnitudes.data()});
      for (size_t l = 0; l < tiles; ++l) {
        // The same tile alone, as four copies.
        std::vector<float> copies(size_t{8} * 4);
        for (size_t k = 0; k < points; ++k) {
          const float sample = rows[k % 4 * row_stride + k / 4 * static_cast<size_t>(next) + l];
          std::fill_n(copies.begin() + static_cast<ptrdiff_t>(k % 4 * 8 + k / 4 * 4), 4, sample);
        }
        std::vector<float> alone(points * 4);
        std::vector<float> alone_magnitudes(size_t{4} * 8);
        form.transform_input({.rows = copies.data(),
                              .row_stride = 8,
                              .next = 4,
                              .count = 4,
                              .points = alone.data(),
                              .point_stride = 4,
                              .magnitudes = alone_magnitudes.data()});
        for (size_t p = 0; p < points; ++p) {
          ASSERT_EQ(transformed[p * pitch + l], alone[p * 4]) << form.name << " " << count;
        }
        for (size_t a = 0; a < 4; ++a) {
          ASSERT_EQ(magnitudes[a * row_stride + l], 1 + std::abs(rows[a * row_stride + l]))
              << form.name << " " << count;
        }
      }
      for (size_t p = 0; p + 1 < points; ++p) {
        for (size_t l = tiles; l < pitch; ++l) ASSERT_EQ(transformed[p * pitch + l], kUntouched) << form.name;
      }
    }
  }
}

TEST_P(ToomForms, TransformOutputExactlyToAMultipleOfFourTiles) {
  const ToomForm& form = toom_form(GetParam());
  const auto points = static_cast<size_t>(form.points);
  for (int32_t count = 1; count <= 9; ++count) {
    const auto tiles = static_cast<size_t>(round_up(count, 4));
    const size_t pitch = tiles + 1;
    const size_t row_stride = tiles + 2;
    const auto products = random_values((points - 1) * pitch + tiles, 2);
    const auto before = random_values(3 * row_stride + tiles, 3);
    auto rows = before;
    form.transform_output({.points = products.data(),
                           .point_stride = pitch,
                           .count = count,
                           .rows = rows.data(),
                           .row_stride = row_stride});
    for (size_t l = 0; l < row_stride; ++l) {
      std::vector<float> copies(points * 4);
      std::vector<float> alone(size_t{4} * 4);
      for (size_t p = 0; l < tiles && p < points; ++p) {
        std::fill_n(copies.begin() + static_cast<ptrdiff_t>(p * 4), 4, products[p * pitch + l]);
      }
      const size_t last = l < tiles ? 4 : 3;  // the last row ends where its tiles do
      for (size_t i = 0; i < last; ++i) {
        std::fill_n(alone.begin() + static_cast<ptrdiff_t>(i * 4), 4, before[i * row_stride + l]);
      }
      if (l < tiles) {
        form.transform_output(
            {.points = copies.data(), .point_stride = 4, .count = 4, .rows = alone.data(), .row_stride = 4});
      }
      for (size_t i = 0; i < last; ++i) {
        ASSERT_EQ(rows[i * row_stride + l], alone[i * 4]) << form.name << ", " << count << " tiles, at " << l;
      }
    }
  }
}

std::string name_of_form(const testing::TestParamInfo<int32_t>& info) { return toom_form(info.param).name; }

INSTANTIATE_TEST_SUITE_P(Kernels, ToomForms, testing::Values(2, 3, 4, 5), name_of_form);

// Spectra: the real parts, then the imaginary ones.
constexpr int32_t kSizes[] = {8, 16, 24, 256};

// Frequency 0 of a spectrum is complex here like the others: packing is fft.h's business.
TEST(Spectra, MultiplyEachFrequency) {
  for (const int32_t size : kSizes) {
    const auto half = static_cast<size_t>(size / 2);
    const auto x = random_values(2 * half, 1);
    const auto h = random_values(2 * half, 2);
    auto product = x;
    multiply_spectrum(product.data(), h.data(), size);
    for (size_t j = 0; j < half; ++j) {
      const double scale = std::hypot(x[j], x[half + j]) * std::hypot(h[j], h[half + j]);
      EXPECT_NEAR(product[j], double{x[j]} * h[j] - double{x[half + j]} * h[half + j], 0x1p-22 * scale);
      EXPECT_NEAR(product[half + j], double{x[j]} * h[half + j] + double{x[half + j]} * h[j], 0x1p-22 * scale);
    }
  }
}

// Rows of spectra, `size` floats of `pitch`, the last one without what lies between.
std::vector<float> random_spectra(size_t rows, size_t pitch, size_t size, uint32_t seed) {
  return random_values((rows - 1) * pitch + size, seed);
}

TEST(Spectra, AddProductsInTheOrderOfRows) {
  for (const int32_t size : kSizes) {
    const auto floats = static_cast<size_t>(size);
    for (int32_t rows = 1; rows <= 9; ++rows) {
      const size_t x_pitch = floats + 3;
      const size_t h_pitch = floats + 5;
      const auto x = random_spectra(static_cast<size_t>(rows), x_pitch, floats, 1);
      const auto h = random_spectra(static_cast<size_t>(rows), h_pitch, floats, 2);
      const auto before = random_values(floats, 3);
      auto together = before;
      add_products(x.data(), x_pitch, h.data(), h_pitch, rows, together.data(), size);
      auto one_by_one = before;
      for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
        add_products(&x[r * x_pitch], x_pitch, &h[r * h_pitch], h_pitch, 1, one_by_one.data(), size);
      }
      EXPECT_EQ(together, one_by_one) << size << " numbers, " << rows << " rows";
      auto product = std::vector<float>(x.begin(), x.begin() + size);
      multiply_spectrum(product.data(), h.data(), size);
      std::vector<float> first(floats);
      add_products(x.data(), x_pitch, h.data(), h_pitch, 1, first.data(), size);
      for (size_t i = 0; i < floats; ++i) EXPECT_NEAR(first[i], product[i], 1e-5F) << size << " at " << i;
    }
  }
}

TEST(Spectra, MultiplyPanelsAsRowByRow) {
  for (const int32_t size : kSizes) {
    const auto floats = static_cast<size_t>(size);
    for (const size_t outputs : {1, 2}) {
      for (size_t blocks = 1; blocks <= 5; ++blocks) {
        for (const size_t rows : {1, 2, 3, 6}) {
          const auto h = random_spectra(outputs * rows, floats, floats, 1);
          const auto x = random_spectra(blocks * rows, floats, floats, 2);
          std::vector<float> h_panel(h.size());
          std::vector<float> x_panel(x.size());
          for (size_t r = 0; r < rows; ++r) {
            for (size_t o = 0; o < outputs; ++o) {
              write_panel(&h[(o * rows + r) * floats], size, &h_panel[(r * outputs + o) * 8], 8 * outputs * rows);
            }
            for (size_t b = 0; b < blocks; ++b) {
              const size_t pair = b / 2 * 2;
              const size_t width = std::min<size_t>(2, blocks - pair);
              write_panel(&x[(b * rows + r) * floats], size, &x_panel[(pair * rows + r * width + b % 2) * 8],
                          8 * blocks * rows);
            }
          }
          const size_t block_pitch = floats + 1;
          const size_t output_pitch = blocks * block_pitch + 2;
          std::vector<float> sums((outputs - 1) * output_pitch + (blocks - 1) * block_pitch + floats, kUntouched);
          auto expected = sums;
          for (size_t o = 0; o < outputs; ++o) {
            for (size_t b = 0; b < blocks; ++b) {
              float* sum = &expected[o * output_pitch + b * block_pitch];
              std::fill_n(sum, floats, 0.0F);
              add_products(&x[b * rows * floats], floats, &h[o * rows * floats], floats, static_cast<int32_t>(rows),
                           sum, size);
            }
          }
          multiply_panels({.h = h_panel.data(),
                           .x = x_panel.data(),
                           .outputs = static_cast<int32_t>(outputs),
                           .blocks = static_cast<int32_t>(blocks),
                           .rows = static_cast<int32_t>(rows),
                           .sums = sums.data(),
                           .output_pitch = output_pitch,
                           .block_pitch = block_pitch,
                           .size = size});
          EXPECT_EQ(sums, expected) << size << " numbers, " << outputs << " filters, " << blocks << " signals, " << rows
                                    << " rows";
        }
      }
    }
  }
}

}  // namespace
}  // namespace conv1d
