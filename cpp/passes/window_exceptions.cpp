#include "passes/window_exceptions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace conv1d {

bool WindowExceptions::allocate(int32_t slots, int32_t rows) {
  const size_t windows = static_cast<size_t>(slots) * static_cast<size_t>(rows);
  rows_ = rows;
  return kinds_.reserve(windows) && counts_.reserve(windows) && outliers_.reserve(windows * Exceptions::kMostOutliers);
}

void WindowExceptions::clear() {
  std::fill_n(kinds_.data(), kinds_.size(), Kind::kNone);
  std::fill_n(counts_.data(), counts_.size(), 0);
  exceptional_ = 0;
}

void WindowExceptions::examine(int32_t slot, int32_t row, float* x, size_t n, int32_t seen) {
  const size_t i = index(slot, row);
  if (kinds_[i] != Kind::kNone) --exceptional_;
  kinds_[i] = Kind::kNone;
  counts_[i] = 0;
  if (judge(x, n, 1, seen) != Evenness::kUneven) return;
  Exceptions exceptions;
  const bool all = find_exceptions(x, n, seen, &exceptions);
  if (exceptions.outlier_count > 0) {  // loud ones beside them are a signal
    kinds_[i] = Kind::kOutliers;
    counts_[i] = exceptions.outlier_count;
    std::copy_n(exceptions.outliers, exceptions.outlier_count, outliers_.data() + i * Exceptions::kMostOutliers);
  } else {
    if (all) return;
    for (size_t j = 0; j < n; ++j) {
      if (std::fabs(x[j]) < kLargestMagnitude) continue;
      kinds_[i] = Kind::kSpoilt;
      x[j] = 0;
    }
    if (kinds_[i] == Kind::kNone) return;  // many that are loud: a signal
  }
  ++exceptional_;
}

WindowExceptions::Kind WindowExceptions::kind(int32_t slot) const {
  const Kind* kinds = kinds_.data() + index(slot, 0);
  return *std::max_element(kinds, kinds + rows_);
}

bool Silence::allocate(int32_t groups, int32_t rows, int64_t reach, int32_t dilation, int32_t longest) {
  groups_ = groups;
  rows_ = rows;
  reach_ = reach;
  dilation_ = dilation;
  longest_ = longest;
  return last_.reserve(static_cast<size_t>(groups) * static_cast<size_t>(dilation)) &&
         flags_.reserve(static_cast<size_t>(groups) * static_cast<size_t>(longest));
}

void Silence::clear(int64_t start) {
  std::fill_n(last_.data(), last_.size(), std::numeric_limits<int64_t>::min() / 2);
  some_ = false;
  looked_ = start;
}

bool Silence::is_zero(const History& history, int32_t group, int64_t position) const {
  for (int32_t row = group * rows_; row < (group + 1) * rows_; ++row) {
    if (history.get(row, position + reach_) != 0) return false;
  }
  return true;
}

void Silence::look(const History& history, int64_t begin, int64_t end) {
  some_ = false;
  begin_ = begin;
  const int64_t from = std::max(looked_, begin - reach_);
  looked_ = end;
  for (int32_t group = 0; group < groups_; ++group) {
    int64_t* last = last_.data() + static_cast<size_t>(group) * static_cast<size_t>(dilation_);
    uint8_t* flags = flags_.data() + static_cast<size_t>(group) * static_cast<size_t>(longest_);
    if (dilation_ == 1 && *last >= end - 1 - reach_) {
      // None is silent: the last of them sees that sample, and so do those before.
      int64_t position = end - 1;
      while (position >= from && is_zero(history, group, position)) --position;
      if (position >= from) *last = position;
      std::fill_n(flags, end - begin, uint8_t{0});
      continue;
    }
    for (int64_t position = from; position < end; ++position) {
      int64_t& own = last[(position % dilation_ + dilation_) % dilation_];
      if (!is_zero(history, group, position)) own = position;
      if (position < begin) continue;
      const bool silent = own < position - reach_;
      flags[position - begin] = silent ? 1 : 0;
      some_ = some_ || silent;
    }
  }
}

}  // namespace conv1d
