// http1: where lines end.
//
// In: text. Out: the offset after each line feed in it. Sixty-four bytes are
// compared at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wirelap::http1 {

/// Iterates over the line feeds of a text. The text outlives it.
class LineEnds {
 public:
  /// Begins at offset `from`.
  explicit LineEnds(std::string_view text, std::size_t from = 0) : text_(text), end_(from) {}

  /// Returns the offset after the next line feed; the size of the text where there is none.
  [[gnu::always_inline]] std::size_t pass() {
    if (found_ == 0) {
      const Block next = search_from(text_, end_);
      found_ = next.found;
      end_ = next.end;
      if (found_ == 0) return text_.size();
    }
    const std::uint64_t at = static_cast<unsigned>(__builtin_ctzll(found_));  // nonzero: no check is needed
    found_ &= found_ - 1;
    return end_ - (kBlock - 1) + static_cast<std::size_t>(at);
  }

 private:
  static constexpr std::size_t kBlock = 64;

  /// One compared block.
  struct Block {
    std::uint64_t found;  // a bit for each line feed that was not returned yet
    std::size_t end;      // may be past the text's
  };

  /// Returns the next block that contains a line feed. It is returned by value, so that it stays in registers.
  [[gnu::noinline]] static Block search_from(std::string_view text, std::size_t begin) {
    if (text.size() < kBlock) [[unlikely]]
      return {compare_each(text.substr(std::min(begin, text.size()))), begin + kBlock};
    for (; begin < text.size(); begin += kBlock) {
      // The last block ends with the text, and may overlap the one before it.
      const std::size_t from = std::min(begin, text.size() - kBlock);
      const std::uint64_t found = compare(text.data() + from) >> (begin - from);
      if (found != 0) return {found, begin + kBlock};
    }
    return {0, begin};
  }

  /// Returns a bit for each of sixteen bytes, the lowest for the first.
  static std::uint64_t compare_16(const char* at) {
#ifdef __SSE2__
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))));
#else
    return compare_each({at, 16});
#endif
  }

  /// Returns a bit for each of kBlock bytes.
  static std::uint64_t compare(const char* at) {
    return compare_16(at) | compare_16(at + 16) << 16 | compare_16(at + 32) << 32 | compare_16(at + 48) << 48;
  }

  static std::uint64_t compare_each(std::string_view text) {
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < text.size(); ++i) found |= std::uint64_t{text[i] == '\n'} << i;
    return found;
  }

  std::string_view text_;
  std::uint64_t found_ = 0;  // of the latest block
  std::size_t end_;
};

}  // namespace wirelap::http1
