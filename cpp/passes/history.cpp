#include "passes/history.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "operator/planes.h"
#include "options/params.h"
#include "simd.h"

namespace conv1d {
namespace {

constexpr float kTiny = 0x1p-100F;

float flushed(float value) { return std::abs(value) < kTiny ? 0.0F : value; }

// destination[i] = source[i] for i < n, or 0 where that is smaller than kTiny. The two may be the same.
void copy_flushed(const float* source, float* destination, size_t n) {
  const v128_t tiny = wasm_f32x4_splat(kTiny);
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const v128_t x = wasm_v128_load(source + i);
    wasm_v128_store(destination + i, wasm_v128_andnot(x, wasm_f32x4_lt(wasm_f32x4_abs(x), tiny)));
  }
  for (; i < n; ++i) destination[i] = flushed(source[i]);
}

}  // namespace

void flush_tiny(float* values, size_t n) { copy_flushed(values, values, n); }

bool History::allocate(int32_t rows, int32_t phases, int64_t kept, int64_t more) {
  rows_ = rows;
  phases_ = phases;
  kept_ = kept;
  capacity_ = (kept + more + phases - 1) / phases + 1;
  const int64_t pitch = pitch_of(2 * capacity_);
  if (pitch > kMaxElements / rows / phases) return false;
  plane_pitch_ = static_cast<size_t>(pitch);
  if (!data_.reserve(row_pitch() * static_cast<size_t>(rows))) return false;
  clear(0);
  return true;
}

void History::clear(int64_t zeros) {
  std::memset(data_.data(), 0, data_.size() * sizeof(float));
  size_ = zeros;
}

void History::append(const float* source, size_t row_stride, int32_t count, bool flush) {
  for (int32_t phase = 0; phase < phases_; ++phase) {
    // The first of the new samples that is of this phase.
    const auto skip = static_cast<int32_t>((phase - size_ % phases_ + phases_) % phases_);
    if (skip >= count) continue;
    const int32_t picked = (count - skip - 1) / phases_ + 1;
    const int64_t slot = (size_ + skip) / phases_ % capacity_;
    const float* from = source + skip;
    for (int32_t row = 0; row < rows_; ++row, from += row_stride) {
      float* to = plane(row, phase) + slot;
      if (picked == 1) {
        to[0] = flush ? flushed(*from) : *from;
      } else if (phases_ > 1) {
        pick(from, phases_, picked, to);
        if (flush) copy_flushed(to, to, static_cast<size_t>(picked));
      } else if (flush) {
        copy_flushed(from, to, static_cast<size_t>(count));
      } else {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
      }
      mirror(to - slot, slot, picked);
    }
  }
  size_ += count;
}

void History::save(float* latest) const {
  for (int32_t row = 0; row < rows_; ++row, latest += kept_) {
    copy(row, size_ - kept_, static_cast<int32_t>(kept_), latest);
  }
}

void History::restore(const float* latest, int64_t size) {
  const int64_t held = std::min(kept_, size);
  clear(size - held);
  append(latest + (kept_ - held), static_cast<size_t>(kept_), static_cast<int32_t>(held), false);
}

void History::settle(const float* source, size_t row_stride, int64_t size, bool flush) {
  size_ = size;
  for (int32_t row = 0; row < rows_; ++row, source += row_stride) {
    std::fill_n(plane(row, 0), row_pitch(), flush ? flushed(*source) : *source);
  }
}

void History::copy(int32_t row, int64_t q, int32_t count, float* destination) const {
  const auto zeros = static_cast<int32_t>(std::clamp<int64_t>(-q, 0, count));
  std::fill_n(destination, zeros, 0.0F);
  if (zeros == count) return;  // there is no place before the first sample to point to
  if (phases_ == 1) {
    const float* source = at(row, q + zeros);
    std::copy(source, source + (count - zeros), destination + zeros);
    return;
  }
  for (int32_t i = zeros; i < count; ++i) destination[i] = get(row, q + i);
}

float History::get(int32_t row, int64_t q) const {
  return at(row, q / phases_)[static_cast<size_t>(q % phases_) * plane_pitch_];
}

void History::set(int32_t row, int64_t q, float value) {
  float* to = plane(row, static_cast<int32_t>(q % phases_));
  const int64_t slot = q / phases_ % capacity_;
  to[slot] = value;
  to[slot + capacity_] = value;
}

void History::mirror(float* plane, int64_t slot, int64_t count) {
  if (count == 1) {
    plane[slot + capacity_] = plane[slot];
    return;
  }
  const int64_t first = std::min(count, capacity_ - slot);
  std::memcpy(plane + capacity_ + slot, plane + slot, static_cast<size_t>(first) * sizeof(float));
  std::memcpy(plane, plane + capacity_, static_cast<size_t>(count - first) * sizeof(float));
}

}  // namespace conv1d
