#include "kernels/dots_f32.h"

#include <algorithm>

#include "integers.h"
#include "simd.h"

namespace conv1d {
namespace {

float sum_of_lanes(v128_t x) {
  x = wasm_f32x4_add(x, wasm_i32x4_shuffle(x, x, 2, 3, 0, 1));
  return wasm_f32x4_extract_lane(x, 0) + wasm_f32x4_extract_lane(x, 1);
}

// Sums of kRows rows and kColumns columns in registers, each of kSteps vectors in turn.
template <size_t kRows, size_t kColumns, size_t kSteps>
struct Tile {
  v128_t sum[kSteps][kRows][kColumns];

  // Products of the vectors `at` floats on.
  __attribute__((always_inline)) void add(size_t step, const float* const* rows, const float* const* columns,
                                          size_t at) {
    if constexpr (kRows >= kColumns) {
      v128_t x[kColumns];
#pragma GCC unroll 12
      for (size_t i = 0; i < kColumns; ++i) x[i] = wasm_v128_load(columns[i] + at);
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) {
        const v128_t y = wasm_v128_load(rows[r] + at);
#pragma GCC unroll 12
        for (size_t i = 0; i < kColumns; ++i) sum[step][r][i] = madd(y, x[i], sum[step][r][i]);
        keep_order();
      }
    } else {
      v128_t y[kRows];
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) y[r] = wasm_v128_load(rows[r] + at);
#pragma GCC unroll 12
      for (size_t i = 0; i < kColumns; ++i) {
        const v128_t x = wasm_v128_load(columns[i] + at);
#pragma GCC unroll 12
        for (size_t r = 0; r < kRows; ++r) sum[step][r][i] = madd(y[r], x, sum[step][r][i]);
        keep_order();
      }
    }
  }

  __attribute__((always_inline)) void run(const Dots& dots, int32_t column) {
#pragma GCC unroll 4
    for (size_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
        for (size_t i = 0; i < kColumns; ++i) sum[step][r][i] = wasm_f32x4_splat(0);
      }
    }
    const float* rows[kRows];
#pragma GCC unroll 12
    for (size_t r = 0; r < kRows; ++r) rows[r] = dots.rows + r * dots.row_stride;
    const float* columns[kColumns];
#pragma GCC unroll 12
    for (size_t i = 0; i < kColumns; ++i) columns[i] = dots.input + dots.offsets[static_cast<size_t>(column) + i];
    const auto next = [&](size_t vectors) {
#pragma GCC unroll 12
      for (size_t r = 0; r < kRows; ++r) rows[r] += 4 * vectors;
#pragma GCC unroll 12
      for (size_t i = 0; i < kColumns; ++i) columns[i] += 4 * vectors;
    };
    auto left = static_cast<size_t>(dots.count);
    for (; left >= 4 * kSteps; left -= 4 * kSteps) {
#pragma GCC unroll 4
      for (size_t step = 0; step < kSteps; ++step) {
        add(step, rows, columns, 4 * step);
      }
      next(kSteps);
    }
    if constexpr (kSteps > 1) {
      for (; left >= 4; left -= 4) {
        add(0, rows, columns, 0);
        next(1);
      }
    }
    float* sums = dots.sums + column;
#pragma GCC unroll 12
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
      for (size_t i = 0; i < kColumns; ++i) {
        v128_t all = sum[0][r][i];
#pragma GCC unroll 4
        for (size_t step = 1; step < kSteps; ++step) all = wasm_f32x4_add(all, sum[step][r][i]);
        sums[r * dots.sum_stride + i] += sum_of_lanes(all);
      }
    }
  }
};

// What is left over of `rows` rows when vectors are done.
__attribute__((noinline)) void add_rest(const Dots& dots, size_t rows) {
  const size_t begin = static_cast<size_t>(dots.count) / 4 * 4;
  for (size_t t = begin; t < static_cast<size_t>(dots.count); ++t) {
    for (size_t r = 0; r < rows; ++r) {
      const float y = dots.rows[r * dots.row_stride + t];
      float* sums = dots.sums + r * dots.sum_stride;
      for (int32_t i = 0; i < dots.columns; ++i) sums[i] += y * dots.input[static_cast<size_t>(dots.offsets[i]) + t];
    }
  }
}

template <size_t kRows, size_t kColumns, size_t kSteps>
void run_tile(const Dots& dots, int32_t column) {
  Tile<kRows, kColumns, kSteps> tile;
  tile.run(dots, column);
}

template <size_t kRows, size_t kColumns, size_t kSteps>
int32_t run_tiles(const Dots& dots, int32_t column) {
  for (; column + static_cast<int32_t>(kColumns) <= dots.columns; column += static_cast<int32_t>(kColumns)) {
    Tile<kRows, kColumns, kSteps> tile;
    tile.run(dots, column);
  }
  return column;
}

}  // namespace

void dots_f32_6x2(const Dots& dots) {
  run_tiles<6, 1, 1>(dots, run_tiles<6, 2, 1>(dots, 0));
  add_rest(dots, 6);
}
void dots_f32_3x3(const Dots& dots) {
  run_tiles<3, 1, 2>(dots, run_tiles<3, 3, 1>(dots, 0));
  add_rest(dots, 3);
}
void dots_f32_2x4(const Dots& dots) {
  run_tiles<2, 1, 4>(dots, run_tiles<2, 4, 1>(dots, 0));
  add_rest(dots, 2);
}
// Widths as even as they go: a single one has the fewest products for each load.
void dots_f32_1x5(const Dots& dots) {
  constexpr int32_t kMost = 5;
  for (int32_t column = 0; column < dots.columns;) {
    const int32_t left = dots.columns - column;
    const int32_t width = ceil_div(left, ceil_div(left, kMost));
    switch (width) {
      case 1:
        run_tile<1, 1, 4>(dots, column);
        break;
      case 2:
        run_tile<1, 2, 4>(dots, column);
        break;
      case 3:
        run_tile<1, 3, 4>(dots, column);
        break;
      case 4:
        run_tile<1, 4, 2>(dots, column);
        break;
      default:
        run_tile<1, 5, 2>(dots, column);
    }
    column += width;
  }
  add_rest(dots, 1);
}

double sum_f32(const float* row, size_t count) {
  constexpr size_t kBlock = 128;  // floats that are added as such
  double sum = 0;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(count, begin + kBlock);
    v128_t lanes = wasm_f32x4_splat(0);
    size_t t = begin;
    for (; t + 4 <= end; t += 4) lanes = wasm_f32x4_add(lanes, wasm_v128_load(row + t));
    if (t < end) lanes = wasm_f32x4_add(lanes, load_some(row + t, end - t));
    sum += sum_of_lanes(lanes);
  }
  return sum;
}

}  // namespace conv1d
