// base: bringing from memory what is read soon.
#pragma once

#include <cstddef>

namespace wirelap {

/// Begins to bring the first `bytes` of `object` into the processor's cache. Reads nothing: any address will do.
inline void prefetch(const void* object, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(static_cast<const char*>(object) + at);
  asm volatile("");  // g++ takes a function that only prefetches for one that does nothing
}

}  // namespace wirelap
