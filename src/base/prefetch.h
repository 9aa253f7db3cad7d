// base: prefetches memory that is read soon.
#pragma once

#include <cstddef>

namespace wirelap {

/// Starts to load the first `bytes` bytes at `object` into the processor's cache. Any address is allowed, because
/// a prefetch cannot fault.
inline void prefetch(const void* object, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(static_cast<const char*>(object) + at);
  asm volatile("");  // without it, g++ removes calls of a function that only prefetches
}

}  // namespace wirelap
