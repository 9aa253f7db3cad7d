// http: where lines end.
//
// In: text. Out: the place of each line feed in it, found sixty-four bytes at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wirelap::http {

/// Walks through the line feeds of a text, which outlives it.
class LineEnds {
 public:
  /// Those from offset `from` on.
  explicit LineEnds(std::string_view text, std::size_t from = 0) : text_(text), block_{0, from} {}

  /// Offset of the next one; past the end where there is none (npos - 1: one more can be added).
  [[gnu::always_inline]] std::size_t next() {
    if (block_.found == 0) {
      block_ = look_on(text_, block_.end);
      if (block_.found == 0) return std::string_view::npos - 1;
    }
    const std::uint64_t at = static_cast<unsigned>(__builtin_ctzll(block_.found));  // not 0, which it need not ask
    block_.found &= block_.found - 1;
    return block_.end - kBlock + static_cast<std::size_t>(at);
  }

 private:
  static constexpr std::size_t kBlock = 64;

  /// What was looked at last.
  struct Block {
    std::uint64_t found;  // a bit for each line feed that is not yet told
    std::size_t end;      // may be past the text's
  };

  /// Goes on to the next block that has any. By value: what is found stays in registers.
  [[gnu::noinline]] static Block look_on(std::string_view text, std::size_t begin) {
    for (; begin < text.size(); begin += kBlock) {
      const std::uint64_t found = text.size() - begin >= kBlock ? look(text.data() + begin) : look_at_rest(text, begin);
      if (found != 0) return {found, begin + kBlock};
    }
    return {0, begin};
  }

  /// A bit for each of sixteen bytes, from the lowest.
  static std::uint64_t look_at_16(const char* at) {
#ifdef __SSE2__
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))));
#else
    return look_at_each({at, 16});
#endif
  }

  /// A bit for each of kBlock bytes.
  static std::uint64_t look(const char* at) {
    return look_at_16(at) | look_at_16(at + 16) << 16 | look_at_16(at + 32) << 32 | look_at_16(at + 48) << 48;
  }

  static std::uint64_t look_at_each(std::string_view text) {
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < text.size(); ++i) found |= std::uint64_t{text[i] == '\n'} << i;
    return found;
  }

  /// Fewer than kBlock bytes are left: the block that ends with them is looked at, if there is one.
  static std::uint64_t look_at_rest(std::string_view text, std::size_t begin) {
    const std::size_t left = text.size() - begin;
    if (text.size() < kBlock) return look_at_each(text.substr(begin));
    return look(text.data() + text.size() - kBlock) >> (kBlock - left);
  }

  std::string_view text_;
  Block block_;
};

}  // namespace wirelap::http
