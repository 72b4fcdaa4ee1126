// maxPool, averagePool: numbers = kernel size, stride, padding on either side, dilation, whether the last window may
// be partial (ceilMode), whether padding counts in averages. As PyTorch's MaxPool1d and AvgPool1d; a tap on padding
// has no part in a maximum.
#include <algorithm>
#include <limits>

#include "operations/kinds.h"
#include "simd.h"

namespace conv1d {
namespace {

// Four samples, `stride` apart.
v128_t pick4(const float* p, int32_t stride) {
  if (stride == 1) return wasm_v128_load(p);
  const auto s = static_cast<size_t>(stride);
  return wasm_f32x4_make(p[0], p[s], p[2 * s], p[3 * s]);
}

class Pool final : public Operation {
 public:
  Pool(const OperationSpec& spec, OperationId id)
      : Operation(spec.channels[0], id),
        is_max_(spec.kind == "maxPool"),
        taps_(spec.integer(0)),
        stride_(spec.integer(1)),
        padding_(spec.integer(2)),
        dilation_(spec.integer(3)),
        ceil_(spec.integer(4) != 0),
        counts_padding_(spec.integer(5) != 0) {}
  static bool has_room() { return true; }

  Timing timing() const override { return {.down = stride_, .first = -padding_, .last = reach() - padding_}; }

  int64_t length(int64_t samples) const override {
    const int64_t room = samples + int64_t{2} * padding_ - reach() - 1;
    if (room < 0 && !(ceil_ && room > -stride_)) return 0;
    const int64_t windows = floor_div(room + (ceil_ ? stride_ - 1 : 0), stride_) + 1;
    // A window that would begin in the right padding does not count.
    return ceil_ && (windows - 1) * stride_ >= samples + padding_ ? windows - 1 : windows;
  }

  void compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
               float* /*state*/) const override {
    const Stretch& in = operands[0];
    // Outputs whose taps all meet samples.
    const auto first_whole = ceil_div<int64_t>(padding_, stride_);
    const int64_t last_whole = floor_div(in.length - 1 - reach() + padding_, stride_);
    const auto begin = static_cast<int32_t>(std::clamp<int64_t>(first_whole - first, 0, count));
    const auto end = static_cast<int32_t>(std::clamp<int64_t>(last_whole + 1 - first, begin, count));
    for (int32_t c = 0; c < out_channels(); ++c) {
      float* row = out.row(c);
      for (int32_t i = 0; i < begin; ++i) row[i] = at_edge(in, c, first + i);
      int32_t i = begin;
      for (; i + 4 <= end; i += 4) {
        const float* p = in.at(c, (first + i) * stride_ - padding_);
        wasm_v128_store(row + i, of_window([&](int64_t offset) { return pick4(p + offset, stride_); }));
      }
      for (; i < end; ++i) {
        const float* p = in.at(c, (first + i) * stride_ - padding_);
        wasm_v128_store32_lane(row + i, of_window([&](int64_t k) { return wasm_v128_load32_splat(p + k); }), 0);
      }
      for (; i < count; ++i) row[i] = at_edge(in, c, first + i);
    }
  }

  void backward(const OperationGradient& gradient, int64_t first, int32_t count) const override {
    const Stretch& in = gradient.operands[0];
    const OutputStretch& to = gradient.operand_gradients[0];
    for (int32_t c = 0; to.rows != nullptr && c < out_channels(); ++c) {
      const float* own = gradient.output_gradients.at(c, first);
      for (int32_t i = 0; i < count; ++i) {
        is_max_ ? add_to_largest(in, c, first + i, own[i], to.row(c))
                : add_to_all(in.length, first + i, own[i], to.row(c));
      }
    }
  }

 private:
  int64_t reach() const { return int64_t{dilation_} * (taps_ - 1); }

  // `load(offset)` are four windows' samples at that offset from their first.
  template <class Load>
  v128_t of_window(const Load& load) const {
    v128_t result = load(0);
    for (int32_t k = 1; k < taps_; ++k) {
      const v128_t x = load(int64_t{k} * dilation_);
      result = is_max_ ? wasm_f32x4_max(result, x) : wasm_f32x4_add(result, x);
    }
    return is_max_ ? result : wasm_f32x4_div(result, wasm_f32x4_splat(static_cast<float>(taps_)));
  }

  // Calls f(sample) for those of a window, in order of time; how many taps count in its average.
  template <class F>
  int32_t for_each_tap(int64_t t, int64_t length, const F& f) const {
    int32_t counted = 0;
    for (int32_t k = 0; k < taps_; ++k) {
      const int64_t q = t * stride_ - padding_ + int64_t{k} * dilation_;
      const bool inside = q >= 0 && q < length;
      if (inside || (counts_padding_ && q < length + padding_)) ++counted;
      if (inside) f(q);
    }
    return counted;
  }

  float at_edge(const Stretch& in, int32_t channel, int64_t t) const {
    float result = is_max_ ? -std::numeric_limits<float>::infinity() : 0.0F;
    const int32_t counted = for_each_tap(t, in.length, [&](int64_t q) {
      const float x = *in.at(channel, q);
      if (!is_max_) {
        result += x;
      } else if (x > result || x != x) {
        result = x;
      }
    });
    return is_max_ ? result : result / static_cast<float>(counted);
  }

  // The first of the largest, or the last that is NaN.
  void add_to_largest(const Stretch& in, int32_t channel, int64_t t, float own, float* to) const {
    int64_t largest = -1;
    for_each_tap(t, in.length, [&](int64_t q) {
      const float x = *in.at(channel, q);
      if (largest < 0 || x > *in.at(channel, largest) || x != x) largest = q;
    });
    if (largest >= 0) to[largest] += own;
  }

  void add_to_all(int64_t length, int64_t t, float own, float* to) const {
    const int32_t counted = for_each_tap(t, length, [](int64_t) {});
    const float share = own / static_cast<float>(counted);
    for_each_tap(t, length, [&](int64_t q) { to[q] += share; });
  }

  bool is_max_;
  int32_t taps_;
  int32_t stride_;
  int32_t padding_;
  int32_t dilation_;
  bool ceil_;
  bool counts_padding_;
};

}  // namespace

MadeOperation make_pool(const OperationSpec& spec, OperationId id) { return made<Pool>(spec, id); }

}  // namespace conv1d
