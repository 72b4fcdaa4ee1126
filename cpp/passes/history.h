// The latest samples of a signal of several rows, for whoever needs a stretch of them over and over.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"

namespace conv1d {

// Values of magnitude below 2^-100 become 0: their products with weights would be denormal numbers, on which CPUs are a
// hundred times slower.
void flush_tiny(float* values, size_t n);

// A ring in which each sample stands twice, `capacity` apart, so that any stretch of what it holds is contiguous and an
// append costs the same however much is held.
//
// With `phases` p, sample q of a row lies in the row's plane q % p, at index q / p: every p-th sample is contiguous.
class History {
 public:
  // Makes room for the latest `kept` samples and `more` that are appended at once, all zero. False when memory is
  // short.
  [[nodiscard]] bool allocate(int32_t rows, int32_t phases, int64_t kept, int64_t more);

  // Forgets everything, and holds `zeros` zeros a row instead.
  void clear(int64_t zeros);

  // Appends `count` samples to each row, those of row r from `source` + r * `row_stride` on; no more than there was
  // room made for. Where `flush`, tiny ones become 0.
  void append(const float* source, size_t row_stride, int32_t count, bool flush);

  // Samples a row so far, those that were dropped included.
  int64_t size() const { return size_; }

  // The latest `kept` samples, (rows, kept), zeros before the first.
  int64_t kept() const { return kept_; }
  int64_t kept_floats() const { return rows_ * kept_; }
  void save(float* latest) const;
  // Holds these again, as the end of `size` samples.
  void restore(const float* latest, int64_t size);
  // Holds `size` samples a row, each as the one at `source` + r * `row_stride`. Where `flush`, tiny ones are 0.
  void settle(const float* source, size_t row_stride, int64_t size, bool flush);

  // Samples [q, q + count) of a row, which it still holds; those before the first are zeros.
  void copy(int32_t row, int64_t q, int32_t count, float* destination) const;

  // Sample `q` of a row, which it still holds.
  float get(int32_t row, int64_t q) const;
  void set(int32_t row, int64_t q, float value);

  // Appends to row r the value `value(r)`, for every row.
  template <class Value>
  void append_each(Value value) {
    ++size_;
    for (int32_t row = 0; row < rows_; ++row) set(row, size_ - 1, value(row));
  }

  // Where index `i` of plane 0 of a row lies; later indices follow it.
  const float* at(int32_t row, int64_t i) const {
    return data_.data() + row * row_pitch() + static_cast<size_t>(i % capacity_);
  }
  // Floats from a plane to the next, and from a row to the next.
  size_t plane_pitch() const { return plane_pitch_; }
  size_t row_pitch() const { return plane_pitch_ * static_cast<size_t>(phases_); }

 private:
  float* plane(int32_t row, int32_t phase) {
    return data_.data() + row * row_pitch() + static_cast<size_t>(phase) * plane_pitch_;
  }
  // Copies what was written at [slot, slot + count) to where it stands the second time.
  void mirror(float* plane, int64_t slot, int64_t count);

  Buffer<float> data_;
  int32_t rows_ = 0;
  int32_t phases_ = 1;
  int64_t kept_ = 0;
  int64_t capacity_ = 1;  // indices a plane
  size_t plane_pitch_ = 0;
  int64_t size_ = 0;
};

}  // namespace conv1d
