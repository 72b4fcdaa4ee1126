// Heap memory whose shortage is a return value: the wasm builds have no exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace conv1d {

// The largest number of elements in one array: its float32 bytes must be addressable in a 32-bit memory.
inline constexpr int64_t kMaxElements = (int64_t{1} << 30) - 1;

// Memory for an array, or null. It keeps 64 KB free, because strings and vectors, in which options, error texts and
// the like come, abort when memory is short.
inline void* allocate_array(size_t count, size_t element_bytes) {
  constexpr size_t kLeftOver = 65536;
  if (count > (SIZE_MAX - kLeftOver) / element_bytes) return nullptr;
  void* array = std::malloc(count * element_bytes);
  void* left_over = std::malloc(kLeftOver);
  __asm__ volatile("" : : "r"(left_over));  // or compilers take the pair for granted and drop it
  std::free(left_over);
  if (left_over != nullptr) return array;
  std::free(array);
  return nullptr;
}

template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // Room for `size` elements, their values undefined. On failure returns false and leaves the buffer as it was.
  [[nodiscard]] bool reserve(size_t size) {
    if (size <= size_) return true;
    T* data = static_cast<T*>(allocate_array(size, sizeof(T)));
    if (data == nullptr) return false;
    std::free(data_);
    data_ = data;
    size_ = size;
    return true;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

// Room for as many floats as were counted without fear of overflow.
[[nodiscard]] inline bool reserve_floats(double floats, Buffer<float>* buffer) {
  return floats <= static_cast<double>(kMaxElements) && buffer->reserve(static_cast<size_t>(floats));
}

}  // namespace conv1d
