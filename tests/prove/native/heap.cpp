#include "heap.h"

#include <algorithm>
#include <new>

// The linker leads the core's calls of malloc and free here, and its real ones to these names.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __real_malloc(size_t bytes);
void __real_free(void* block);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace conv1d::heap {
namespace {

bool open = false;
Refusal refusal_now;
int64_t count = 0;
int64_t refused_count = 0;
size_t bytes_in_use = 0;
size_t most_in_use = 0;

// Stands before each block: the bytes that count, 0 of those made outside of scopes.
struct alignas(std::max_align_t) Header {
  size_t counted;
};

size_t in_use_before = 0;

// What was in use before may be freed meanwhile.
bool has_room(size_t bytes) {
  const size_t added = bytes_in_use + bytes;
  return added <= in_use_before || added - in_use_before <= refusal_now.room;
}

bool is_refused(size_t bytes, bool survivable) {
  if (!open) return false;
  const bool in_turn = survivable && count >= refusal_now.first && count <= refusal_now.last;
  if (survivable) ++count;
  if (!in_turn && has_room(bytes)) return false;
  ++refused_count;
  return true;
}

void* allocate(size_t bytes, bool survivable) {
  if (is_refused(bytes, survivable)) return nullptr;
  auto* header = static_cast<Header*>(__real_malloc(sizeof(Header) + bytes));
  if (header == nullptr) return nullptr;
  header->counted = open ? std::max<size_t>(bytes, 1) : 0;
  bytes_in_use += header->counted;
  most_in_use = std::max(most_in_use, bytes_in_use);
  return header + 1;
}

void release(void* block) {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  bytes_in_use -= header->counted;
  __real_free(header);
}

}  // namespace

Scope::Scope(const Refusal& refusal) {
  refusal_now = refusal;
  count = refused_count = 0;
  in_use_before = bytes_in_use;
  open = true;
}
Scope::~Scope() { open = false; }
int64_t Scope::allocations() const { return count; }
int64_t Scope::refused() const { return refused_count; }

size_t in_use() { return bytes_in_use; }
size_t peak() { return most_in_use; }
void reset_peak() { most_in_use = bytes_in_use; }

}  // namespace conv1d::heap

// NOLINTBEGIN(bugprone-reserved-identifier,misc-use-internal-linkage,readability-identifier-naming)
extern "C" void* __wrap_malloc(size_t bytes) { return conv1d::heap::allocate(bytes, true); }
extern "C" void __wrap_free(void* block) { conv1d::heap::release(block); }
// NOLINTEND(bugprone-reserved-identifier,misc-use-internal-linkage,readability-identifier-naming)

void* operator new(size_t bytes) {
  void* block = conv1d::heap::allocate(bytes, false);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new(size_t bytes, const std::nothrow_t& /*tag*/) noexcept { return conv1d::heap::allocate(bytes, true); }
void operator delete(void* block) noexcept { conv1d::heap::release(block); }
void operator delete(void* block, size_t /*bytes*/) noexcept { conv1d::heap::release(block); }
