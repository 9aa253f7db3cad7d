// http: where lines end.
//
// In: text. Out: the place of each line feed in it, found sixty-four bytes at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wirelap::http1 {

/// Walks through the line feeds of a text, which outlives it.
class LineEnds {
 public:
  /// Those from offset `from` on.
  explicit LineEnds(std::string_view text, std::size_t from = 0) : text_(text), end_(from) {}

  /// Offset behind the next one; the text's end where there is none.
  [[gnu::always_inline]] std::size_t pass() {
    if (found_ == 0) {
      const Block next = look_on(text_, end_);
      found_ = next.found;
      end_ = next.end;
      if (found_ == 0) return text_.size();
    }
    const std::uint64_t at = static_cast<unsigned>(__builtin_ctzll(found_));  // not 0, which it need not ask
    found_ &= found_ - 1;
    return end_ - (kBlock - 1) + static_cast<std::size_t>(at);
  }

 private:
  static constexpr std::size_t kBlock = 64;

  /// What was looked at.
  struct Block {
    std::uint64_t found;  // a bit for each line feed that is not yet told
    std::size_t end;      // may be past the text's
  };

  /// Goes on to the next block that has any. By value: what is found stays in registers.
  [[gnu::noinline]] static Block look_on(std::string_view text, std::size_t begin) {
    if (text.size() < kBlock) [[unlikely]]
      return {look_at_each(text.substr(std::min(begin, text.size()))), begin + kBlock};
    for (; begin < text.size(); begin += kBlock) {
      // Of the last bytes the block that ends with them is looked at.
      const std::size_t from = std::min(begin, text.size() - kBlock);
      const std::uint64_t found = look(text.data() + from) >> (begin - from);
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

  std::string_view text_;
  std::uint64_t found_ = 0;  // of the block looked at last
  std::size_t end_;
};

}  // namespace wirelap::http1
