#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>

namespace wirelap {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLineBytes = 64;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Sizes of blocks: a step is at most an eighth of a size from 128 bytes on, and from
/// 256 on all are whole lines of the cache.
struct Sizes {
  std::array<std::uint16_t, 44> bytes{};
  std::array<std::uint8_t, Memory::kLargestCut / 16 + 1> of{};  // by sixteens of bytes

  constexpr Sizes() {
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
constexpr Sizes kSize;
static_assert(kSize.bytes.back() == Memory::kLargestCut && kSize.of.back() == kSize.bytes.size() - 1);

/// Which of the sizes a block of `bytes` has, and how many bytes that is.
constexpr int size_of(std::size_t bytes) { return kSize.of[(bytes + 15) / 16]; }
constexpr std::size_t bytes_of(int size) { return kSize.bytes[static_cast<std::size_t>(size)]; }

/// What is counted for a block that is not cut from a chunk.
constexpr std::size_t round_uncut(std::size_t bytes) {
  return bytes > Memory::kLargestCut ? round_up(bytes, kPageBytes) : bytes_of(size_of(bytes));
}

void* map(std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

/// Fails as new does where the system has no more.
[[gnu::noinline]] void* fail() { return ::operator new (~std::size_t{0} >> 1); }

}  // namespace

/// Stands at its own beginning.
struct alignas(kLineBytes) Memory::Chunk {
  struct Block {
    Block* next;
  };

  Chunk* next;    // of the same size with room, or spare
  Chunk* before;  // the same; spare ones have none
  Block* free;    // blocks that came back
  char* fresh;    // the first of those that were never out
  std::uint16_t out;
  std::uint16_t never_out;  // blocks at the end
  std::uint8_t size;

  static Chunk* of(void* block) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(block) & ~(std::uintptr_t{kChunkBytes} - 1));
  }
  /// Its first block; they are whole lines of the cache, or at multiples of 16.
  char* first() { return reinterpret_cast<char*>(this) + sizeof(Chunk); }
  bool has_room() const { return free != nullptr || never_out != 0; }
};

Memory::Memory(std::size_t limit_bytes, bool pooled) : limit_(limit_bytes), pooled_(pooled) {
  static_assert(kSizes == kSize.bytes.size());
}

Memory::~Memory() { unmap_spare(0); }

bool Memory::is_over_limit() const { return used_ > limit_ - limit_ / 16 || held_ > limit_; }

bool Memory::is_well_below_limit() const { return used_ <= limit_ - limit_ / 16 * 3 && held_ <= limit_ - limit_ / 32; }

/// A block of the first chunk that has one left.
inline void* Memory::cut(int size) {
  Chunk* const chunk = with_room_[size];
  ++chunk->out;
  void* block = chunk->free;
  if (block != nullptr) {
    chunk->free = chunk->free->next;
  } else {
    block = chunk->fresh;
    chunk->fresh += bytes_of(size);
    --chunk->never_out;
  }
  if (!chunk->has_room()) {
    with_room_[size] = chunk->next;
    if (chunk->next != nullptr) chunk->next->before = nullptr;
  }
  return block;
}

void* Memory::do_allocate(std::size_t bytes, std::size_t alignment) {
  ++blocks_;
  // Blocks of up to 256 bytes stand at multiples of 16.
  if (alignment > 16) bytes = std::max<std::size_t>(bytes, 256);
  if (bytes > kLargestCut || !pooled_) [[unlikely]]
    return allocate_uncut(bytes, alignment);
  const int size = size_of(bytes);
  used_ += bytes_of(size);
  if (with_room_[size] == nullptr || is_over_limit()) [[unlikely]]
    return allocate_anew(size);
  return cut(size);
}

/// A block of a new chunk, or one of those that are too many.
[[gnu::noinline]] void* Memory::allocate_anew(int size) {
  if (with_room_[size] == nullptr) take_chunk(size);
  void* const block = cut(size);
  if (is_over_limit()) wake_();
  return block;
}

void Memory::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  if (alignment > 16) bytes = std::max<std::size_t>(bytes, 256);
  if (bytes > kLargestCut || !pooled_) [[unlikely]]
    return deallocate_uncut(block, bytes, alignment);
  const int size = size_of(bytes);
  used_ -= bytes_of(size);
  put_back(block, size);
}

[[gnu::noinline]] void* Memory::allocate_uncut(std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = round_uncut(bytes);
  used_ += rounded;
  void* block;
  if (pooled_) {
    block = take_pages(rounded);
  } else {
    count_held(rounded);
    block = ::operator new(bytes, std::align_val_t(alignment));
  }
  if (is_over_limit()) [[unlikely]]
    wake_();
  return block;
}

[[gnu::noinline]] void Memory::deallocate_uncut(void* block, std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = round_uncut(bytes);
  used_ -= rounded;
  if (pooled_) return give_back_pages(block, rounded);
  held_ -= rounded;
  ::operator delete(block, std::align_val_t(alignment));
}

void Memory::count_held(std::size_t bytes) {
  held_ += bytes;
  most_held_ = std::max(most_held_, held_);
}

void Memory::put_back(void* block, int size) {
  Chunk* const chunk = Chunk::of(block);
  const bool had_room = chunk->has_room();
  chunk->free = ::new (block) Chunk::Block{chunk->free};
  --chunk->out;
  if (!had_room) {
    chunk->before = nullptr;
    chunk->next = with_room_[size];
    if (chunk->next != nullptr) chunk->next->before = chunk;
    with_room_[size] = chunk;
  }
  if (chunk->out == 0) [[unlikely]]
    empty(chunk, size);
}

/// All its blocks are back.
[[gnu::noinline]] void Memory::empty(Chunk* chunk, int size) {
  (chunk->before == nullptr ? with_room_[size] : chunk->before->next) = chunk->next;
  if (chunk->next != nullptr) chunk->next->before = chunk->before;
  give_back_chunk(chunk);
}

void Memory::take_chunk(int size) {
  if (spare_chunks_ == nullptr && !map_chunks()) fail();
  Chunk* const chunk = spare_chunks_;
  spare_chunks_ = chunk->next;
  spare_ -= kChunkBytes;
  count_held(kChunkBytes);
  const std::size_t blocks = (kChunkBytes - sizeof(Chunk)) / bytes_of(size);
  *chunk = {nullptr,
            nullptr,
            nullptr,
            chunk->first(),
            0,
            static_cast<std::uint16_t>(blocks),
            static_cast<std::uint8_t>(size)};
  with_room_[size] = chunk;
}

void Memory::give_back_chunk(Chunk* chunk) {
  held_ -= kChunkBytes;
  // What is out of use for long goes back: as much as is held may wait.
  constexpr std::size_t kMostSpare = std::size_t{4} << 20;
  if (spare_ > std::max(held_, kMostSpare) && ::munmap(chunk, kChunkBytes) == 0) return;
  chunk->next = spare_chunks_;
  spare_chunks_ = chunk;
  spare_ += kChunkBytes;
}

/// Maps a few chunks at once.
bool Memory::map_chunks() {
  constexpr std::size_t kMapped = 16 * kChunkBytes;
  char* const mapped = static_cast<char*>(map(kMapped + kChunkBytes));
  if (mapped == nullptr) return false;
  char* const first = reinterpret_cast<char*>(Chunk::of(mapped + kChunkBytes - 1));
  // What stands over is given back; that can only fail for want of a mapping more, and costs no memory then.
  if (first != mapped) ::munmap(mapped, static_cast<std::size_t>(first - mapped));
  ::munmap(first + kMapped, kChunkBytes - static_cast<std::size_t>(first - mapped));
  // The first to be used is the first in memory.
  for (char* at = first + kMapped; at != first;) {
    at -= kChunkBytes;
    Chunk* const chunk = reinterpret_cast<Chunk*>(at);
    chunk->next = spare_chunks_;
    spare_chunks_ = chunk;
  }
  spare_ += kMapped;
  return true;
}

/// Gives spare chunks back until no more than `until` bytes of them are left.
void Memory::unmap_spare(std::size_t until) {
  while (spare_ > until && spare_chunks_ != nullptr) {
    Chunk* const chunk = spare_chunks_;
    Chunk* const next = chunk->next;
    if (::munmap(chunk, kChunkBytes) != 0) return;
    spare_chunks_ = next;
    spare_ -= kChunkBytes;
  }
}

void* Memory::take_pages(std::size_t bytes) {
  count_held(bytes);
  // Spare chunks cannot become pages: they make room.
  if (held_ + spare_ > limit_) unmap_spare(held_ < limit_ ? limit_ - held_ : 0);
  if (void* const block = map(bytes)) return block;
  unmap_spare(0);
  void* const block = map(bytes);
  return block != nullptr ? block : fail();
}

void Memory::give_back_pages(void* block, std::size_t bytes) {
  held_ -= bytes;
  ::munmap(block, bytes);
}

}  // namespace wirelap
