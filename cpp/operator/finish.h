// What happens to finished rows of sums on their way to the output.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "operator/correlation.h"
#include "options/activation.h"

namespace conv1d {

// What makes an output of a sum.
struct Finish {
  Activation activation = Activation::kNone;
  std::array<float, kMostParameters> parameters{};  // in the table's order
  const float* channels = nullptr;                  // the first parameter of each channel, unless they share it

  const float* parameters_of(int32_t channel) const {
    return channels == nullptr ? parameters.data() : channels + channel;
  }
};

// Where outputs lie: see Correlation.
struct OutputView {
  void* base;
  DType dtype;
  int32_t channels;
  int32_t row;
  int32_t step;

  // The element of output `t` of a channel of an image.
  size_t at(int32_t image, int32_t channel, int32_t t) const {
    return (static_cast<size_t>(image) * static_cast<size_t>(channels) + static_cast<size_t>(channel)) *
               static_cast<size_t>(row) +
           static_cast<size_t>(t) * static_cast<size_t>(step);
  }
  // Whether sums are written where outputs belong.
  bool in_place() const { return dtype == DType::kFloat32 && step == 1; }
};

inline OutputView outputs_of(const Correlation& c, void* base) {
  return {.base = base, .dtype = c.dtype, .channels = c.out_channels, .row = c.out_row, .step = c.out_step};
}

// Outputs `begin`, `begin` + `step`, ..., `count` of them, of each of `rows` channels from `channel` on.
struct OutputRows {
  int32_t image;
  int32_t channel;
  int32_t rows;
  int32_t begin;
  int32_t count;
  int32_t step = 1;
};

// Applies the activation to rows of sums, `row_stride` floats apart, in place, and writes them to the output unless
// they lie there already.
void finish_rows(const Finish& finish, float* sums, size_t row_stride, const OutputRows& rows, const OutputView& out);

// The activation alone, of `count` sums of a channel.
void activate(const Finish& finish, int32_t channel, float* sums, size_t count);

// Writes `count` values to elements `at`, `at` + `step`, ... of an array of `dtype`, rounded where that is float16.
void write_row(const float* row, size_t count, DType dtype, void* array, size_t at, size_t step);

}  // namespace conv1d
