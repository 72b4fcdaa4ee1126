// A heap whose allocations can be refused, in place of malloc and operator new of the whole program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace conv1d {

// What of the heap's calls is refused, while a Scope is open. `new` without std::nothrow has nobody who could take a
// refusal: the wasm builds would trap. So it counts for `room` alone, and throws std::bad_alloc then.
struct Refusal {
  int64_t first = std::numeric_limits<int64_t>::max();  // the allocation from which on they are refused, from 0
  int64_t last = std::numeric_limits<int64_t>::max();   // and the last of those
  size_t room = std::numeric_limits<size_t>::max();     // bytes that may be in use beside those in use before
};

namespace heap {

// Counts allocations, and refuses as it was told, for as long as it lives.
class Scope {
 public:
  explicit Scope(const Refusal& refusal);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Allocations that may be refused so far.
  int64_t allocations() const;
  // How often anything was refused.
  int64_t refused() const;
};

// Bytes of what was allocated in scopes and not freed yet, and the most that there were since reset_peak().
size_t in_use();
size_t peak();
void reset_peak();

}  // namespace heap
}  // namespace conv1d
