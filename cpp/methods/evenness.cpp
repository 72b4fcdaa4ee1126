#include "methods/evenness.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "simd.h"

namespace conv1d {
namespace {

constexpr int kFractionBits = 23;
constexpr size_t kBins = 256;  // one for each exponent
// Neighbours of which the largest counts, if a window has a whole cell of them and there are more than so few samples.
constexpr int32_t kCell = 4;
constexpr size_t kFewSamples = 64;
constexpr int32_t kOneRowGap = 7;  // bins that stay empty between one row's samples and those that stand out
constexpr int32_t kLeastGap = 2;
constexpr int32_t kLongWindow = 64;

// Magnitudes compare as their bits do; those of NaN are the largest.
uint32_t magnitude(float x) { return std::bit_cast<uint32_t>(x) & 0x7FFFFFFF; }

constexpr uint32_t kLargest = std::bit_cast<uint32_t>(kLargestMagnitude);
constexpr uint32_t kSmallest = std::bit_cast<uint32_t>(kSmallestMagnitude);

struct Range {
  uint32_t least;
  uint32_t most;
};

// Of lanes that hold twice the magnitudes.
Range range_of_lanes(v128_t least, v128_t most) {
  uint32_t low[4];
  uint32_t high[4];
  wasm_v128_store(low, least);
  wasm_v128_store(high, most);
  return {*std::min_element(low, low + 4) / 2, *std::max_element(high, high + 4) / 2};
}

// The least and the largest magnitude.
Range range_of_samples(const float* x, size_t n) {
  Range range{UINT32_MAX, 0};
  for (size_t i = 0; i < n; ++i) {
    range.least = std::min(range.least, magnitude(x[i]));
    range.most = std::max(range.most, magnitude(x[i]));
  }
  return range;
}

// The even or the odd lanes of two vectors.
v128_t evens(v128_t a, v128_t b) { return wasm_i32x4_shuffle(a, b, 0, 2, 4, 6); }
v128_t odds(v128_t a, v128_t b) { return wasm_i32x4_shuffle(a, b, 1, 3, 5, 7); }

// The same of cells, each of which counts by its largest sample: four neighbours, from every fourth sample on, or four
// samples that are four apart, of every 16. There are 16 samples or more.
template <bool kNeighbours>
Range range_of_cells(const float* x, size_t n) {
  // Twice the magnitudes: without the sign, and with no constant that V8 would build anew each time.
  const auto load = [](const float* from) { return wasm_i32x4_shl(wasm_v128_load(from), 1); };
  v128_t least = wasm_i32x4_splat(-1);
  v128_t most = wasm_i32x4_splat(0);
  for (size_t i = 0; i < n; i += 16) {
    const float* from = x + std::min(i, n - 16);
    const v128_t a = load(from);
    const v128_t b = load(from + 4);
    const v128_t c = load(from + 8);
    const v128_t d = load(from + 12);
    v128_t cell;
    if constexpr (kNeighbours) {
      const v128_t ab = wasm_u32x4_max(evens(a, b), odds(a, b));
      const v128_t cd = wasm_u32x4_max(evens(c, d), odds(c, d));
      cell = wasm_u32x4_max(evens(ab, cd), odds(ab, cd));
    } else {
      cell = wasm_u32x4_max(wasm_u32x4_max(a, b), wasm_u32x4_max(c, d));
    }
    most = wasm_u32x4_max(most, cell);
    least = wasm_u32x4_min(least, cell);
  }
  return range_of_lanes(least, most);
}

int32_t gap_of(int32_t rows) {
  return std::max(kOneRowGap + 1 - static_cast<int32_t>(std::bit_width(static_cast<uint32_t>(rows))), kLeastGap);
}

bool counts_by_four(size_t n, int32_t window) { return n >= kFewSamples && window >= 2 * kCell - 1; }

// How many cells have their largest sample in each bin.
using Histogram = std::array<uint32_t, kBins>;

Histogram count_cells(const float* x, size_t n, int32_t window) {
  Histogram cells{};
  const size_t cell = counts_by_four(n, window) ? kCell : 1;
  for (size_t i = 0; i < n; i += cell) {
    uint32_t largest = 0;
    for (size_t j = i; j < std::min(n, i + cell); ++j) largest = std::max(largest, magnitude(x[j]));
    if (largest > 0) ++cells[largest >> kFractionBits];
  }
  return cells;
}

// Calls f(bin, above) for every bin below which at least `gap` are empty, and then one is not, with how many cells lie
// in that bin or above, from the top down.
template <class F>
void for_each_gap(const Histogram& cells, int32_t gap, const F& f) {
  uint32_t above = 0;
  size_t lowest = kBins;  // of those met so far that are not empty
  for (size_t bin = kBins; bin-- > 0;) {
    if (cells[bin] == 0) continue;
    if (lowest < kBins && lowest - bin > static_cast<size_t>(gap)) f(lowest, above);
    above += cells[bin];
    lowest = bin;
  }
}

// Calls f(begin, end) for every stretch, at least `window` long, of samples smaller than `limit`.
template <class F>
void for_each_stretch(const float* x, size_t n, size_t window, uint32_t limit, const F& f) {
  for (size_t i = 0; i < n; ++i) {
    const size_t begin = i;
    while (i < n && magnitude(x[i]) < limit) ++i;
    if (i - begin >= window) f(begin, i);
  }
}

bool has_stretch(const float* x, size_t n, int32_t window, uint32_t limit) {
  bool found = false;
  for_each_stretch(x, n, static_cast<size_t>(window), limit, [&](size_t, size_t) { found = true; });
  return found;
}

size_t count_nonzero(const float* x, size_t n) { return n - static_cast<size_t>(std::count(x, x + n, 0.0F)); }

// Whether samples from `limit` on, above a gap, spoil outputs. Of a long window that is full, those that see none of
// them: the others are sums of so many products that the definition allows them larger errors.
bool spoils(const float* x, size_t n, int32_t window, uint32_t limit) {
  return window < kLongWindow || count_nonzero(x, n) < kLongWindow || has_stretch(x, n, window, limit);
}

}  // namespace

void add_magnitudes(const float* x, size_t n, float* sums) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(sums + i, wasm_f32x4_add(wasm_v128_load(sums + i), wasm_f32x4_abs(wasm_v128_load(x + i))));
  }
  for (; i < n; ++i) sums[i] += std::fabs(x[i]);
}

float allowed_ratio(int32_t rows) { return std::max(512.0F / static_cast<float>(rows), 4.0F); }

Evenness judge(const float* x, size_t n, int32_t rows, int32_t window) {
  // The zeros of a padding, of which every output sees something else as well, hide nothing.
  size_t begin = 0;
  size_t end = n;
  while (begin < n && x[begin] == 0) ++begin;
  while (end > begin && x[end - 1] == 0) --end;
  if (begin < static_cast<size_t>(window) && n - end < static_cast<size_t>(window)) {
    x += begin;
    n = end - begin;
  }
  // A window of 31 has 16 samples in turn that are looked at together, one of 7 has 4.
  const Range range = window >= 31 && n >= 16     ? range_of_cells<false>(x, n)
                      : counts_by_four(n, window) ? range_of_cells<true>(x, n)
                                                  : range_of_samples(x, n);
  if (range.most == 0) return Evenness::kSilent;
  if (range.most >= kLargest || range.most < kSmallest) return Evenness::kUneven;
  const int32_t gap = gap_of(rows);
  const bool narrow = range.most - range.least < static_cast<uint32_t>(gap) << kFractionBits;
  if (range.least > 0 && narrow && n > size_t{kSparse}) return Evenness::kEven;
  if (count_nonzero(x, n) <= size_t{kSparse}) return Evenness::kUneven;
  bool even = range.least > 0 || !has_stretch(x, n, window, 1);
  for_each_gap(count_cells(x, n, window), gap, [&](size_t, uint32_t) { even = false; });
  return even ? Evenness::kEven : Evenness::kUneven;
}

namespace {

// From which magnitude on samples stand out, at most `most` of them. `too_many` more that are loud are a part of the
// signal, above which some may stand out nonetheless.
struct Limit {
  uint32_t least;
  bool too_many;
};

Limit limit_of_outliers(const float* x, size_t n, int32_t window, int32_t most) {
  if (count_nonzero(x, n) <= size_t{kSparse}) return {1, false};
  Limit result{kLargest, false};
  for_each_gap(count_cells(x, n, window), kOneRowGap, [&](size_t bin, uint32_t) {
    const uint32_t limit = static_cast<uint32_t>(bin) << kFractionBits;
    const auto stands_out = [limit](float value) { return magnitude(value) >= limit; };
    if (std::count_if(x, x + n, stands_out) <= most) {
      result.least = std::min(result.least, limit);
    } else {
      result.too_many = result.too_many || spoils(x, n, window, limit);
    }
  });
  return result;
}

// Takes the samples from `least` on out of the row. False where there are too many.
bool take_outliers(float* x, size_t n, uint32_t least, Exceptions* exceptions) {
  for (size_t i = 0; i < n; ++i) {
    if (magnitude(x[i]) < least) continue;
    if (exceptions->outlier_count == Exceptions::kMostOutliers) return false;
    exceptions->outliers[exceptions->outlier_count++] = {.at = static_cast<int32_t>(i), .value = x[i]};
    x[i] = 0;
  }
  return true;
}

bool find_silences(const float* x, size_t n, int32_t window, Exceptions* exceptions) {
  bool too_many = false;
  for_each_stretch(x, n, static_cast<size_t>(window), 1, [&](size_t begin, size_t end) {
    too_many = too_many || exceptions->silent_count == Exceptions::kMostStretches;
    if (too_many) return;
    exceptions->silent[exceptions->silent_count++] = {.begin = static_cast<int32_t>(begin),
                                                      .end = static_cast<int32_t>(end) - window + 1};
  });
  return !too_many;
}

}  // namespace

bool find_exceptions(float* x, size_t n, int32_t window, Exceptions* exceptions) {
  exceptions->outlier_count = 0;
  exceptions->silent_count = 0;
  bool found = find_silences(x, n, window, exceptions);
  bool taken = true;
  // What is left may stand out in its turn: a cell tells of its largest sample alone.
  for (int32_t before = -1; taken && exceptions->outlier_count > before;) {
    before = exceptions->outlier_count;
    const Limit limit = limit_of_outliers(x, n, window, Exceptions::kMostOutliers - before);
    found = found && !limit.too_many;
    taken = take_outliers(x, n, limit.least, exceptions);
  }
  const Range rest = range_of_samples(x, n);
  if (taken && (rest.most == 0 || rest.most >= kSmallest)) return found;
  for (int32_t i = 0; i < exceptions->outlier_count; ++i) x[exceptions->outliers[i].at] = exceptions->outliers[i].value;
  exceptions->outlier_count = 0;
  return false;
}

}  // namespace conv1d
