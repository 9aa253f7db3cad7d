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
  explicit LineEnds(std::string_view text, std::size_t from = 0) : text_(text), next_(from) {}

  /// Offset of the next one; past the end where there is none (npos - 1: one more can be added).
  [[gnu::always_inline]] std::size_t next() {
    if (found_ == 0 && !look_on()) return std::string_view::npos - 1;
    const std::size_t at = begin_ + static_cast<std::size_t>(__builtin_ctzll(found_));  // not 0, which it need not ask
    found_ &= found_ - 1;
    return at;
  }

 private:
  static constexpr std::size_t kBlock = 64;

  /// Goes on to the next block that has any.
  bool look_on() {
    while (found_ == 0 && next_ < text_.size()) {
      begin_ = next_;
      next_ += kBlock;
      found_ = text_.size() - begin_ >= kBlock ? look(text_.data() + begin_) : look_at_rest();
    }
    return found_ != 0;
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
  std::uint64_t look_at_rest() const {
    const std::size_t left = text_.size() - begin_;
    if (text_.size() < kBlock) return look_at_each(text_.substr(begin_));
    return look(text_.data() + text_.size() - kBlock) >> (kBlock - left);
  }

  std::string_view text_;
  std::size_t begin_ = 0;    // of the block looked at
  std::size_t next_;         // of the one after it
  std::uint64_t found_ = 0;  // in it, not yet told
};

}  // namespace wirelap::http
