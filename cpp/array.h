// A fixed number of objects, for want of room for which there is a return value: see buffer.h.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace conv1d {

template <class T>
class Array {
 public:
  // `size` objects anew. False when memory is short; there are then none.
  [[nodiscard]] bool make(size_t size) {
    objects_.reset(new (std::nothrow) T[size]);
    size_ = objects_ ? size : 0;
    return size_ == size;
  }
  // Forgets all but the first `size`.
  void shorten(size_t size) { size_ = size; }

  size_t size() const { return size_; }
  T* data() { return objects_.get(); }
  const T* data() const { return objects_.get(); }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return objects_[i]; }
  const T& operator[](size_t i) const { return objects_[i]; }
  T& front() { return objects_[0]; }
  const T& front() const { return objects_[0]; }
  T& back() { return objects_[size_ - 1]; }
  const T& back() const { return objects_[size_ - 1]; }

 private:
  std::unique_ptr<T[]> objects_;
  size_t size_ = 0;
};

}  // namespace conv1d
