// What the latest windows of a stream hold that their transforms are better off without, and where it is silent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "methods/evenness.h"
#include "passes/history.h"

namespace conv1d {

// Outliers of the windows of several rows, a slot for each window.
class WindowExceptions {
 public:
  enum class Kind : uint8_t {
    kNone,
    kOutliers,  // few, and taken out of the window
    kSpoilt,    // NaN, infinite or too large for a transform, and too many to be kept: zeros are in their place
  };

  [[nodiscard]] bool allocate(int32_t slots, int32_t rows);
  void clear();

  // Examines window `slot` of a row, n samples of which an output sees `seen` in turn, in place of what was there.
  void examine(int32_t slot, int32_t row, float* x, size_t n, int32_t seen);

  bool any() const { return exceptional_ > 0; }
  Kind kind(int32_t slot, int32_t row) const { return kinds_[index(slot, row)]; }
  // The worst of all rows.
  Kind kind(int32_t slot) const;
  // Calls f(at, value) for every sample taken out of a window, `at` counted from its beginning.
  template <class F>
  void for_each(int32_t slot, int32_t row, const F& f) const {
    const size_t i = index(slot, row);
    for (int32_t j = 0; j < counts_[i]; ++j) {
      const Exceptions::Outlier& outlier = outliers_[i * Exceptions::kMostOutliers + static_cast<size_t>(j)];
      f(outlier.at, outlier.value);
    }
  }

 private:
  size_t index(int32_t slot, int32_t row) const {
    return static_cast<size_t>(slot) * static_cast<size_t>(rows_) + static_cast<size_t>(row);
  }

  int32_t rows_ = 0;
  Buffer<Kind> kinds_;
  Buffer<int32_t> counts_;
  Buffer<Exceptions::Outlier> outliers_;
  int32_t exceptional_ = 0;  // windows whose kind is not kNone
};

// Which outputs of a stream see nothing but zeros. Positions are those of partitioned.h.
class Silence {
 public:
  // For groups of `rows` rows, outputs that see every dilation-th of the last `reach` samples and their own, and
  // stretches of up to `longest` positions.
  [[nodiscard]] bool allocate(int32_t groups, int32_t rows, int64_t reach, int32_t dilation, int32_t longest);
  // Begins anew: all samples before position `start` are zero.
  void clear(int64_t start);
  // Looks at the samples before position `end`; the outputs from `begin` on are next.
  void look(const History& history, int64_t begin, int64_t end);
  // Of those, whether the one at `position` of a group is silent.
  bool at(int32_t group, int64_t position) const {
    return some_ && flags_[static_cast<size_t>(group) * static_cast<size_t>(longest_) +
                           static_cast<size_t>(position - begin_)] != 0;
  }

 private:
  bool is_zero(const History& history, int32_t group, int64_t position) const;

  int32_t groups_ = 0;
  int32_t rows_ = 0;
  int64_t reach_ = 0;
  int32_t dilation_ = 1;
  int32_t longest_ = 0;
  Buffer<int64_t> last_;  // (groups, dilation): the latest position whose sample is not zero, by its remainder
  Buffer<uint8_t> flags_;
  bool some_ = false;
  int64_t begin_ = 0;
  int64_t looked_ = 0;  // up to which position
};

}  // namespace conv1d
