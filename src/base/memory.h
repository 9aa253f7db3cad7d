// base: memory for the state of connections: counted, limited, reused.
//
// In: requests for blocks, mostly from std::pmr containers. Out: blocks, and how many
// bytes are held. Small blocks are cut from chunks; all blocks of a chunk have one
// size. A chunk whose blocks have all been returned can serve another size, so that
// one kind of connection can use what another kind has released. This file does not
// decide what to evict over the limit: on_over_limit() notifies the owner of the
// connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <utility>

namespace wirelap {

/// A memory resource that counts what it hands out. To be used by one thread.
class Memory final : public std::pmr::memory_resource {
 public:
  static constexpr std::size_t kUnlimited = ~std::size_t{0};

  /// The default of `pooled`. False with AddressSanitizer, which checks each block only where it is
  /// allocated on its own.
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool kPooled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  static constexpr bool kPooled = false;
#else
  static constexpr bool kPooled = true;
#endif
#else
  static constexpr bool kPooled = true;
#endif

  static constexpr std::size_t kChunkBytes = 16 * 1024;
  /// Larger blocks are not cut from chunks: each has pages of its own.
  static constexpr std::size_t kMaxCutBytes = kChunkBytes / 4;

  /// The limit is not enforced: an allocation over it succeeds and calls the function of on_over_limit().
  /// `pooled`: whether blocks are cut from chunks; the counts are the same without it.
  explicit Memory(std::size_t limit_bytes = kUnlimited, bool pooled = kPooled);
  /// All blocks must have been returned before.
  ~Memory() override;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::size_t limit_bytes() const { return limit_bytes_; }
  /// Bytes of the allocated blocks, each rounded up to its size class.
  std::size_t used_bytes() const { return used_bytes_; }
  /// Bytes of the chunks with an allocated block, and of large blocks.
  std::size_t held_bytes() const { return held_bytes_; }
  /// The maximum of held_bytes() so far.
  std::size_t peak_held_bytes() const { return peak_held_bytes_; }
  /// Bytes mapped from the system: held_bytes(), and spare chunks.
  std::size_t mapped_bytes() const { return held_bytes_ + spare_bytes_; }
  /// Number of allocations so far.
  std::uint64_t allocations() const { return allocations_; }

  /// Whether the caller must evict something: held_bytes() is over the limit, or used_bytes() is over
  /// 15/16 of it. The margin of 1/16 is for free blocks, which other size classes cannot use.
  bool is_over_limit() const;
  /// Whether enough has been evicted: used_bytes() is at most 13/16 of the limit, and held_bytes() 31/32.
  bool is_well_below_limit() const;

  /// Sets the function that is called at each allocation after which is_over_limit() holds.
  void on_over_limit(std::function<void()> notify) { notify_ = std::move(notify); }

 private:
  struct Chunk;
  static constexpr int kSizeClasses = 44;

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  void* allocate_uncut(std::size_t bytes, std::size_t alignment);
  void deallocate_uncut(void* block, std::size_t bytes, std::size_t alignment);
  void* allocate_slowly(int size_class);
  void* cut(int size_class);
  void put_back(void* block, int size_class);
  void add_chunk(int size_class);
  void remove_empty(Chunk* chunk, int size_class);
  void release_chunk(Chunk* chunk);
  bool map_chunks();
  void* map_pages(std::size_t bytes);
  void unmap_pages(void* block, std::size_t bytes);
  void unmap_spare(std::size_t down_to_bytes);
  void count_held(std::size_t bytes);

  std::size_t limit_bytes_;
  bool pooled_;
  std::size_t used_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::size_t peak_held_bytes_ = 0;
  std::size_t spare_bytes_ = 0;
  std::uint64_t allocations_ = 0;
  Chunk* with_free_blocks_[kSizeClasses] = {};  // by size class: the chunks with free blocks
  Chunk* spare_chunks_ = nullptr;
  std::function<void()> notify_ = [] {};
};

/// Deletes an object from the memory resource that its memory() returns.
struct ReturnToMemory {
  template <class T>
  void operator()(T* object) const {
    std::pmr::memory_resource* const memory = object->memory();
    object->~T();
    memory->deallocate(object, sizeof(T), alignof(T));
  }
};

/// Owns an object that `make_in` created.
template <class T>
using Owned = std::unique_ptr<T, ReturnToMemory>;

/// Creates a T in `memory`. T's constructor gets `arguments` and then `memory`; T must have a function
/// memory() that returns it.
template <class T, class... Arguments>
Owned<T> make_in(std::pmr::memory_resource* memory, Arguments&&... arguments) {
  return Owned<T>(::new (memory->allocate(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)..., memory));
}

/// Clears a container and returns its memory. (Assigning an empty container would keep the memory.)
template <class Container>
void release(Container& container) {
  Container(container.get_allocator()).swap(container);
}

/// A string in a memory resource. Converts to std::string implicitly.
class Text : public std::pmr::string {
 public:
  using std::pmr::string::basic_string;
  using std::pmr::string::operator=;
  operator std::string() const { return {data(), size()}; }
  friend std::string operator+(std::string left, const Text& right) { return left.append(right); }
};

}  // namespace wirelap
