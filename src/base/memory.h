// base: memory for what a run keeps of connections: counted, bounded, used again.
//
// In: requests for blocks, mostly of containers (std::pmr). Out: blocks, and how
// much is held. Small ones are cut from chunks, each of one size; a chunk whose
// blocks have all come back serves any size, so that what one kind of
// connection took another can have. What is to be given up when too much is
// held is not known here: on_over_limit() wakes who does.
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

/// Memory with a ledger. Belongs to one thread.
class Memory final : public std::pmr::memory_resource {
 public:
  static constexpr std::size_t kUnlimited = ~std::size_t{0};

  /// Whether blocks are cut from chunks. Without that each is the system's own, which
  /// sanitizers watch over; the ledger is the same.
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

  /// Of chunks; blocks up to a quarter of it are cut from them, larger ones are pages of their own.
  static constexpr std::size_t kChunkBytes = 16 * 1024;
  static constexpr std::size_t kLargestCut = kChunkBytes / 4;

  /// `limit_bytes` is not kept by itself: until enough is given back more can be had.
  explicit Memory(std::size_t limit_bytes = kUnlimited, bool pooled = kPooled);
  /// All blocks have been given back.
  ~Memory() override;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::size_t limit_bytes() const { return limit_; }
  /// Bytes of blocks that are out, each rounded up to the next size there is.
  std::size_t used_bytes() const { return used_; }
  /// Bytes of chunks that have a block out, and of large blocks.
  std::size_t held_bytes() const { return held_; }
  /// The most that `held` has been.
  std::size_t peak_held_bytes() const { return most_held_; }
  /// Bytes that the system has given and not got back: `held`, and chunks for later.
  std::size_t mapped_bytes() const { return held_ + spare_; }
  /// Blocks ever given out.
  std::uint64_t allocations() const { return blocks_; }

  /// Whether something is to be given up: more is held than may be, or nearly so much
  /// used. The difference is for blocks that cannot take each other's place.
  bool is_over_limit() const;
  /// Whether enough has been given up since.
  bool is_well_below_limit() const;

  /// `wake` is called whenever a block is given out while is_over_limit().
  void on_over_limit(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  struct Chunk;
  static constexpr int kSizes = 44;

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  void* allocate_uncut(std::size_t bytes, std::size_t alignment);
  void deallocate_uncut(void* block, std::size_t bytes, std::size_t alignment);
  void* allocate_anew(int size);
  void* cut(int size);
  void put_back(void* block, int size);
  void take_chunk(int size);
  void empty(Chunk* chunk, int size);
  void give_back_chunk(Chunk* chunk);
  bool map_chunks();
  void* take_pages(std::size_t bytes);
  void give_back_pages(void* block, std::size_t bytes);
  void unmap_spare(std::size_t until);
  void count_held(std::size_t bytes);

  std::size_t limit_;
  bool pooled_;
  std::size_t used_ = 0;
  std::size_t held_ = 0;
  std::size_t most_held_ = 0;
  std::size_t spare_ = 0;
  std::uint64_t blocks_ = 0;
  Chunk* with_room_[kSizes] = {};  // by size: chunks that have blocks left
  Chunk* spare_chunks_ = nullptr;
  std::function<void()> wake_ = [] {};
};

/// Gives an object back to the memory that it was made in, which its memory() names.
struct ReturnToMemory {
  template <class T>
  void operator()(T* object) const {
    std::pmr::memory_resource* const memory = object->memory();
    object->~T();
    memory->deallocate(object, sizeof(T), alignof(T));
  }
};

/// Owns an object that was made by `make_in`.
template <class T>
using Owned = std::unique_ptr<T, ReturnToMemory>;

/// Makes a T in `memory`, which its constructor gets as the last argument.
template <class T, class... Arguments>
Owned<T> make_in(std::pmr::memory_resource* memory, Arguments&&... arguments) {
  return Owned<T>(::new (memory->allocate(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)..., memory));
}

/// Empties a container and gives its memory back. (Assigning an empty one would keep it.)
template <class Container>
void release(Container& container) {
  Container(container.get_allocator()).swap(container);
}

/// A string in such memory; becomes a plain one by itself.
class Text : public std::pmr::string {
 public:
  using std::pmr::string::basic_string;
  using std::pmr::string::operator=;
  operator std::string() const { return {data(), size()}; }
  friend std::string operator+(std::string left, const Text& right) { return left.append(right); }
};

}  // namespace wirelap
