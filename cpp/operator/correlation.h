// What a convolution is, without the options, names and defaults of a layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

namespace conv1d {

enum class PaddingMode : uint8_t { kZeros, kReflect, kReplicate, kCircular };
enum class DType : uint8_t { kFloat32, kFloat16 };

constexpr int32_t element_bytes(DType dtype) { return dtype == DType::kFloat32 ? 4 : 2; }

// The part of it that does not depend on the input. All are >= 1.
struct Dimensions {
  int32_t in_channels;
  int32_t out_channels;
  int32_t kernel_size;
  int32_t stride;
  int32_t dilation;
  int32_t groups;

  int32_t group_in() const { return in_channels / groups; }
  int32_t group_out() const { return out_channels / groups; }
  // Input positions from the first to the last tap, less one.
  int64_t reach() const { return static_cast<int64_t>(dilation) * (kernel_size - 1); }
  // Elements of the weight array (groups, group_out, group_in, kernel_size).
  int64_t weight_size() const { return static_cast<int64_t>(out_channels) * group_in() * kernel_size; }
  // A strided layer is one with stride 1 over several rows. With stride 2 and dilation 3, even and odd samples become
  // two rows, the phases: tap k reads row (3 k) mod 2, and neighbouring taps of one row lie 3 apart there.
  int32_t phases() const { return stride / std::gcd(stride, dilation); }
  int32_t phase_dilation() const { return dilation / std::gcd(stride, dilation); }
  // Whether several taps meet the same phase, which Toom-Cook combines.
  bool has_toom_cook() const { return kernel_size > phases(); }
};

// Of the convolution that has the same weights the other way round.
constexpr Dimensions transposed_dimensions(Dimensions d) {
  std::swap(d.in_channels, d.out_channels);
  return d;
}

// One input shape with it:
//
//     y[n][o][t] = bias[o] + sum over c, k: w[o][c][k] * x[n][c][first + t * stride + k * dilation]
//
// with c over the input channels of o's group.
struct Correlation : Dimensions {
  PaddingMode padding_mode;  // what lies outside of [0, length)
  DType dtype;
  int32_t batch;
  int32_t length;      // of an input row
  int64_t first;       // of any sign; minus the left padding of a layer
  int32_t out_length;  // outputs of a row
  // Output (n, o, t) is element (n * out_channels + o) * out_row + t * out_step.
  int32_t out_row;
  int32_t out_step;

  // Positions outside of the input that windows reach, on either side.
  int64_t before() const { return std::max<int64_t>(0, -first); }
  int64_t after() const {
    return std::max<int64_t>(0, first + int64_t{out_length - 1} * stride + reach() + 1 - length);
  }
  int64_t outside() const { return before() + after(); }
  // Of the positions that windows reach, the share that is not padding.
  double share_of_samples() const { return length / (static_cast<double>(length) + static_cast<double>(outside())); }
};

// The transpose: gx[p] is the sum of w[o][c][k] * gy[n][o][t] over all o, t, k with first + t * stride + k * dilation
// = p. It is a correlation of gy with stride 1 for each of `phases()` remainders of p, whose outputs lie `stride` apart
// and whose taps are every phases()-th, backwards; other positions are 0.
struct TransposedPhase {
  Correlation correlation;  // of gy
  int32_t begin;            // where its first output lies in a row
  int32_t first_tap;        // of the kernel; the next is phases() before it
};

// Of those, the one for `phase`, for the positions p in [begin, end) of x, which become a row. Nothing where it meets
// no tap or none of the positions. gx is dense.
std::optional<TransposedPhase> transposed_of(const Correlation& forward, int32_t phase, int64_t begin, int64_t end);

}  // namespace conv1d
