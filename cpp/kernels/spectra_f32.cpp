#include "kernels/spectra_f32.h"

#include <cassert>

#include "methods/complex4.h"

namespace conv1d {
namespace {

template <size_t kRows>
void add_rows(const float* x, size_t x_pitch, const float* h, size_t h_pitch, float* sum, int32_t half) {
  for (int32_t j = 0; j < half; j += 4) {
    Complex4 y = load(sum + j, sum + half + j);
#pragma GCC unroll 4
    for (size_t r = 0; r < kRows; ++r) {
      const float* own_x = x + r * x_pitch + j;
      const float* own_h = h + r * h_pitch + j;
      y = multiply_add(load(own_x, own_x + half), load(own_h, own_h + half), y);
    }
    store(sum + j, sum + half + j, y);
  }
}

// Four frequencies of kBlocks signals.
template <size_t kOutputs, size_t kBlocks>
void multiply_four(const float* h, const float* x, const SpectraTile& tile, float* sums) {
  Complex4 y[kOutputs][kBlocks];
  for (auto& row : y) {
    for (Complex4& sum : row) sum = {wasm_f32x4_splat(0), wasm_f32x4_splat(0)};
  }
  for (int32_t r = 0; r < tile.rows; ++r, h += 8 * kOutputs, x += 8 * kBlocks) {
    Complex4 b[kOutputs];
#pragma GCC unroll 2
    for (size_t o = 0; o < kOutputs; ++o) b[o] = load(h + 8 * o, h + 8 * o + 4);
#pragma GCC unroll 2
    for (size_t i = 0; i < kBlocks; ++i) {
      const Complex4 a = load(x + 8 * i, x + 8 * i + 4);
#pragma GCC unroll 2
      for (size_t o = 0; o < kOutputs; ++o) y[o][i] = multiply_add(a, b[o], y[o][i]);
    }
  }
#pragma GCC unroll 2
  for (size_t o = 0; o < kOutputs; ++o) {
#pragma GCC unroll 2
    for (size_t i = 0; i < kBlocks; ++i) {
      float* sum = sums + o * tile.output_pitch + i * tile.block_pitch;
      store(sum, sum + tile.size / 2, y[o][i]);
    }
  }
}

template <size_t kOutputs>
void multiply(const SpectraTile& tile) {
  assert(tile.size % 8 == 0 && tile.rows >= 1 && tile.blocks >= 1);
  const float* h = tile.h;
  const float* x = tile.x;
  const auto depth = 8 * static_cast<size_t>(tile.rows);
  for (int32_t j = 0; j < tile.size / 2; j += 4, h += depth * kOutputs) {
    float* sums = tile.sums + j;
    int32_t left = tile.blocks;
    for (; left >= 2; left -= 2, x += 2 * depth, sums += 2 * tile.block_pitch) {
      multiply_four<kOutputs, 2>(h, x, tile, sums);
    }
    if (left > 0) {
      multiply_four<kOutputs, 1>(h, x, tile, sums);
      x += depth;
    }
  }
}

}  // namespace

void multiply_spectrum(float* x, const float* h, int32_t size) {
  float* im = x + size / 2;
  const float* h_im = h + size / 2;
  for (int32_t j = 0; j < size / 2; j += 4) store(x + j, im + j, load(x + j, im + j) * load(h + j, h_im + j));
}

void add_products(const float* x, size_t x_pitch, const float* h, size_t h_pitch, int32_t rows, float* sum,
                  int32_t size) {
  const int32_t half = size / 2;
  for (; rows >= 4; rows -= 4, x += 4 * x_pitch, h += 4 * h_pitch) add_rows<4>(x, x_pitch, h, h_pitch, sum, half);
  for (; rows > 0; --rows, x += x_pitch, h += h_pitch) add_rows<1>(x, x_pitch, h, h_pitch, sum, half);
}

void multiply_panels(const SpectraTile& tile) { tile.outputs == 2 ? multiply<2>(tile) : multiply<1>(tile); }

void write_panel(const float* spectrum, int32_t size, float* panel, size_t step) {
  const int32_t half = size / 2;
  for (int32_t j = 0; j < half; j += 4, panel += step) {
    store(panel, panel + 4, load(spectrum + j, spectrum + half + j));
  }
}

}  // namespace conv1d
