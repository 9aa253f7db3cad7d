#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>

namespace wirelap {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLineBytes = 64;

/// `bytes`, rounded up to a multiple of `unit`.
constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// The size classes of blocks. From 128 bytes on, a class is larger than the one before by at most an
/// eighth; from 256 bytes on, all are multiples of a cache line.
struct SizeClasses {
  std::array<std::uint16_t, 44> bytes{};
  std::array<std::uint8_t, Memory::kMaxCutBytes / 16 + 1> of{};  // by size in units of 16 bytes

  constexpr SizeClasses() {
    std::size_t at = 0, size = 0;
    for (const auto& [until, step] :
         {std::pair<std::size_t, std::size_t>{256, 16}, {1024, 64}, {2048, 128}, {4096, 256}}) {
      while (size < until) bytes[at++] = static_cast<std::uint16_t>(size += step);
    }
    for (std::size_t sixteens = 0, smallest = 0; sixteens < of.size(); ++sixteens) {
      if (sixteens * 16 > bytes[smallest]) ++smallest;
      of[sixteens] = static_cast<std::uint8_t>(smallest);
    }
  }
};
constexpr SizeClasses kClasses;
static_assert(kClasses.bytes.back() == Memory::kMaxCutBytes && kClasses.of.back() == kClasses.bytes.size() - 1);

/// The size class of a block of `bytes`, and the bytes of a size class.
constexpr int size_class_of(std::size_t bytes) { return kClasses.of[(bytes + 15) / 16]; }
constexpr std::size_t bytes_of(int size_class) { return kClasses.bytes[static_cast<std::size_t>(size_class)]; }

/// The bytes that are counted for a block that is not cut from a chunk.
constexpr std::size_t round_uncut(std::size_t bytes) {
  return bytes > Memory::kMaxCutBytes ? round_up(bytes, kPageBytes) : bytes_of(size_class_of(bytes));
}

/// Maps `bytes` bytes; null where the system has no more.
void* map(std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

/// Fails as operator new fails without memory.
[[gnu::noinline]] void* fail() { return ::operator new (~std::size_t{0} >> 1); }

}  // namespace

/// The header at the start of a chunk. Chunks of one size class with free blocks form a doubly linked
/// list, spare chunks a singly linked one.
struct alignas(kLineBytes) Memory::Chunk {
  struct Block {
    Block* next;
  };

  Chunk* next;
  Chunk* previous;                // not set in a spare chunk
  Block* returned;                // blocks that were allocated and deallocated
  char* unused;                   // the first of the blocks that were never allocated, at the chunk's end
  std::uint16_t allocated_count;  // blocks that are allocated
  std::uint16_t unused_count;     // blocks from `unused` on

  /// The chunk of a block, or of any other address in it.
  static Chunk* of(void* block) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(block) & ~(std::uintptr_t{kChunkBytes} - 1));
  }
  /// The first block. Blocks start at cache lines, or at multiples of 16 where they are smaller than 256 bytes.
  char* first() { return reinterpret_cast<char*>(this) + sizeof(Chunk); }
  bool has_free_block() const { return returned != nullptr || unused_count != 0; }
};

Memory::Memory(std::size_t limit_bytes, bool pooled) : limit_bytes_(limit_bytes), pooled_(pooled) {
  static_assert(kSizeClasses == kClasses.bytes.size());
}

Memory::~Memory() { unmap_spare(0); }

bool Memory::is_over_limit() const {
  return used_bytes_ > limit_bytes_ - limit_bytes_ / 16 || held_bytes_ > limit_bytes_;
}

bool Memory::is_well_below_limit() const {
  return used_bytes_ <= limit_bytes_ - limit_bytes_ / 16 * 3 && held_bytes_ <= limit_bytes_ - limit_bytes_ / 32;
}

/// Allocates a block of the first chunk with a free one; there must be such a chunk.
inline void* Memory::cut(int size_class) {
  Chunk* const chunk = with_free_blocks_[size_class];
  ++chunk->allocated_count;
  void* block = chunk->returned;
  if (block != nullptr) {
    chunk->returned = chunk->returned->next;
  } else {
    block = chunk->unused;
    chunk->unused += bytes_of(size_class);
    --chunk->unused_count;
  }
  if (!chunk->has_free_block()) {
    with_free_blocks_[size_class] = chunk->next;
    if (chunk->next != nullptr) chunk->next->previous = nullptr;
  }
  return block;
}

void* Memory::do_allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations_;
  // Blocks smaller than 256 bytes are aligned to 16 bytes only.
  if (alignment > 16) bytes = std::max<std::size_t>(bytes, 256);
  if (bytes > kMaxCutBytes || !pooled_) [[unlikely]]
    return allocate_uncut(bytes, alignment);
  const int size_class = size_class_of(bytes);
  used_bytes_ += bytes_of(size_class);
  if (with_free_blocks_[size_class] == nullptr || is_over_limit()) [[unlikely]]
    return allocate_slowly(size_class);
  return cut(size_class);
}

/// Allocates a block where no chunk has a free one, or where the limit is exceeded.
[[gnu::noinline]] void* Memory::allocate_slowly(int size_class) {
  if (with_free_blocks_[size_class] == nullptr) add_chunk(size_class);
  void* const block = cut(size_class);
  if (is_over_limit()) notify_();
  return block;
}

void Memory::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  if (alignment > 16) bytes = std::max<std::size_t>(bytes, 256);
  if (bytes > kMaxCutBytes || !pooled_) [[unlikely]]
    return deallocate_uncut(block, bytes, alignment);
  const int size_class = size_class_of(bytes);
  used_bytes_ -= bytes_of(size_class);
  put_back(block, size_class);
}

[[gnu::noinline]] void* Memory::allocate_uncut(std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = round_uncut(bytes);
  used_bytes_ += rounded;
  void* block;
  if (pooled_) {
    block = map_pages(rounded);
  } else {
    count_held(rounded);
    block = ::operator new(bytes, std::align_val_t(alignment));
  }
  if (is_over_limit()) [[unlikely]]
    notify_();
  return block;
}

[[gnu::noinline]] void Memory::deallocate_uncut(void* block, std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = round_uncut(bytes);
  used_bytes_ -= rounded;
  if (pooled_) return unmap_pages(block, rounded);
  held_bytes_ -= rounded;
  ::operator delete(block, std::align_val_t(alignment));
}

void Memory::count_held(std::size_t bytes) {
  held_bytes_ += bytes;
  peak_held_bytes_ = std::max(peak_held_bytes_, held_bytes_);
}

/// Returns a block to its chunk.
void Memory::put_back(void* block, int size_class) {
  Chunk* const chunk = Chunk::of(block);
  const bool had_room = chunk->has_free_block();
  chunk->returned = ::new (block) Chunk::Block{chunk->returned};
  --chunk->allocated_count;
  if (!had_room) {
    chunk->previous = nullptr;
    chunk->next = with_free_blocks_[size_class];
    if (chunk->next != nullptr) chunk->next->previous = chunk;
    with_free_blocks_[size_class] = chunk;
  }
  if (chunk->allocated_count == 0) [[unlikely]]
    remove_empty(chunk, size_class);
}

/// Removes a chunk without allocated blocks from its size class.
[[gnu::noinline]] void Memory::remove_empty(Chunk* chunk, int size_class) {
  (chunk->previous == nullptr ? with_free_blocks_[size_class] : chunk->previous->next) = chunk->next;
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
  release_chunk(chunk);
}

/// Adds a spare chunk to a size class that has no chunk with a free block.
void Memory::add_chunk(int size_class) {
  if (spare_chunks_ == nullptr && !map_chunks()) fail();
  Chunk* const chunk = spare_chunks_;
  spare_chunks_ = chunk->next;
  spare_bytes_ -= kChunkBytes;
  count_held(kChunkBytes);
  const std::size_t blocks = (kChunkBytes - sizeof(Chunk)) / bytes_of(size_class);
  *chunk = {nullptr, nullptr, nullptr, chunk->first(), 0, static_cast<std::uint16_t>(blocks)};
  with_free_blocks_[size_class] = chunk;
}

/// Makes a chunk spare, or unmaps it.
void Memory::release_chunk(Chunk* chunk) {
  held_bytes_ -= kChunkBytes;
  // As many bytes as are held may stay spare, at least kSpareBytes; more goes back to the system.
  constexpr std::size_t kSpareBytes = std::size_t{4} << 20;
  if (spare_bytes_ > std::max(held_bytes_, kSpareBytes) && ::munmap(chunk, kChunkBytes) == 0) return;
  chunk->next = spare_chunks_;
  spare_chunks_ = chunk;
  spare_bytes_ += kChunkBytes;
}

/// Maps several chunks at once and makes them spare. Returns false where the system has no memory.
bool Memory::map_chunks() {
  constexpr std::size_t kMapped = 16 * kChunkBytes;
  char* const mapped = static_cast<char*>(map(kMapped + kChunkBytes));
  if (mapped == nullptr) return false;
  char* const first = reinterpret_cast<char*>(Chunk::of(mapped + kChunkBytes - 1));
  // Unmap what precedes and follows the chunks. This fails only where the process has too many mappings; pages that
  // are never written cost no memory.
  if (first != mapped) ::munmap(mapped, static_cast<std::size_t>(first - mapped));
  ::munmap(first + kMapped, kChunkBytes - static_cast<std::size_t>(first - mapped));
  // The list starts with the lowest address.
  for (char* at = first + kMapped; at != first;) {
    at -= kChunkBytes;
    Chunk* const chunk = reinterpret_cast<Chunk*>(at);
    chunk->next = spare_chunks_;
    spare_chunks_ = chunk;
  }
  spare_bytes_ += kMapped;
  return true;
}

/// Unmaps spare chunks until at most `down_to_bytes` bytes of them are left.
void Memory::unmap_spare(std::size_t down_to_bytes) {
  while (spare_bytes_ > down_to_bytes && spare_chunks_ != nullptr) {
    Chunk* const chunk = spare_chunks_;
    Chunk* const next = chunk->next;
    if (::munmap(chunk, kChunkBytes) != 0) return;
    spare_chunks_ = next;
    spare_bytes_ -= kChunkBytes;
  }
}

void* Memory::map_pages(std::size_t bytes) {
  count_held(bytes);
  // A large block cannot use spare chunks: unmap them where both together exceed the limit.
  if (held_bytes_ + spare_bytes_ > limit_bytes_)
    unmap_spare(held_bytes_ < limit_bytes_ ? limit_bytes_ - held_bytes_ : 0);
  if (void* const block = map(bytes)) return block;
  unmap_spare(0);
  void* const block = map(bytes);
  return block != nullptr ? block : fail();
}

void Memory::unmap_pages(void* block, std::size_t bytes) {
  held_bytes_ -= bytes;
  ::munmap(block, bytes);
}

}  // namespace wirelap
