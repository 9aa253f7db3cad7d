#include "output/escape.h"

#include <algorithm>
#include <cstring>
#include <limits>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/error.h"

namespace wirelap {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Plain characters need no escape: printable ASCII except quotes and `kSpecial`.
template <char kSpecial>
bool is_plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != kSpecial;
}

/// Whether eight characters are plain. Each term has the top bit of a byte set where it excludes that byte. A carry can
/// set further bits, but never clear one.
template <char kSpecial>
bool is_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
  const std::uint64_t not_ascii = word, control = word - kOnes * 0x20, del = word + kOnes,
                      quote = (word ^ kOnes * '"') - kOnes, special = (word ^ kOnes * kSpecial) - kOnes;
  return ((not_ascii | control | del | quote | special) & kOnes * 0x80) == 0;
}

template <class Unit>
Unit load(const char* from) {
  Unit unit;
  std::memcpy(&unit, from, sizeof unit);
  return unit;
}

#ifdef __SSE2__
using Sixteen = __m128i;
Sixteen join(std::uint64_t first, std::uint64_t last) {
  return _mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first));
}
/// Whether sixteen characters are plain.
template <char kSpecial>
bool is_plain(const Sixteen& text) {
  const auto is = [&](char c) { return _mm_cmpeq_epi8(text, _mm_set1_epi8(c)); };
  // Its top bit is set where a byte is none of the 95 characters from space to tilde: counted from space and saturated.
  const __m128i not_printable = _mm_adds_epu8(_mm_sub_epi8(text, _mm_set1_epi8(0x20)), _mm_set1_epi8(0x80 - 95));
  return _mm_movemask_epi8(_mm_or_si128(not_printable, _mm_or_si128(is('"'), is(kSpecial)))) == 0;
}
#else
struct Sixteen {
  std::uint64_t first, last;
};
Sixteen join(std::uint64_t first, std::uint64_t last) { return {first, last}; }
/// Whether sixteen characters are plain.
template <char kSpecial>
bool is_plain(const Sixteen& text) {
  return is_plain<kSpecial>(text.first) && is_plain<kSpecial>(text.last);
}
#endif

/// Copies sixteen characters if they are plain.
template <char kSpecial>
bool copy_16(char* to, const char* from) {
  const auto text = load<Sixteen>(from);
  if (!is_plain<kSpecial>(text)) return false;
  std::memcpy(to, &text, sizeof text);
  return true;
}

constexpr std::uint64_t kSpaces = 0x2020'2020'2020'2020;

/// Copies the first unit and the last one, which can overlap. Returns both, padded with spaces.
template <class Unit>
Sixteen copy_ends(char* to, const char* from, std::size_t size) {
  constexpr std::uint64_t kFill = kSpaces & ~std::uint64_t{std::numeric_limits<Unit>::max()};
  const Unit first = load<Unit>(from), last = load<Unit>(from + size - sizeof(Unit));
  std::memcpy(to, &first, sizeof(Unit));
  std::memcpy(to + size - sizeof(Unit), &last, sizeof(Unit));
  return join(first | kFill, last | kFill);
}

/// Copies fewer than sixteen characters. Returns them padded with spaces; some can be in it twice.
inline Sixteen copy_short(char* to, const char* from, std::size_t size) {
  if (size >= 8) return copy_ends<std::uint64_t>(to, from, size);
  if (size >= 4) return copy_ends<std::uint32_t>(to, from, size);
  if (size >= 2) return copy_ends<std::uint16_t>(to, from, size);
  return size == 1 ? copy_ends<std::uint8_t>(to, from, size) : join(kSpaces, kSpaces);
}

/// Copies `text` if all of it is plain, and returns whether it is. If not, a part can have been copied.
template <char kSpecial>
bool copy_plain(char* to, std::string_view text) {
  const std::size_t size = text.size();
  if (size < 16) return is_plain<kSpecial>(copy_short(to, text.data(), size));
  for (std::size_t done = 0;; done = std::min(done + 16, size - 16)) {
    if (!copy_16<kSpecial>(to + done, text.data() + done)) return false;
    if (done + 16 >= size) return true;
  }
}

/// Writes the plain characters at the front of `text`, and removes them from it. Returns where they end.
template <char kSpecial>
char* write_plain(char* at, std::string_view& text) {
  std::size_t done = 0;
  while (text.size() - done >= 16 && copy_16<kSpecial>(at + done, text.data() + done)) done += 16;
  for (; done < text.size() && is_plain<kSpecial>(text[done]); ++done) at[done] = text[done];
  text.remove_prefix(done);
  return at + done;
}

char* write_unicode_escape(char* at, unsigned code) {
  const char escape[] = {'\\', 'u', '0', '0', kHex[code >> 4 & 15], kHex[code & 15]};
  return std::copy_n(escape, sizeof escape, at);
}

/// Writes the character at the front of `text`, a control character as \u00XX, and removes it from `text`. Returns
/// where it ends.
char* write_character(char* at, std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = utf8_length(text);
  const std::string_view character = text.substr(0, length);
  const bool c1 = length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  const unsigned code = c1 ? static_cast<unsigned char>(text[1]) : lead;
  text.remove_prefix(length == 0 ? 1 : length);
  if (length == 0) return std::copy(kReplacement.begin(), kReplacement.end(), at);
  if (lead < 0x20 || lead == 0x7f || c1) return write_unicode_escape(at, code);
  return std::copy(character.begin(), character.end(), at);
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xc2 && lead < 0xe0) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead < 0xf0) {
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead < 0xf5) {
    const bool out_of_range = (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) >= 0x90);
    return continues(1) && continues(2) && continues(3) && !out_of_range ? 4 : 0;
  }
  return 0;
}

namespace {

// Not inlined, so that plain texts do not save registers for them.
[[gnu::noinline]] char* write_escaped_json(char* at, std::string_view text) {
  *at++ = '"';
  at = write_plain<'\\'>(at, text);
  while (!text.empty()) {
    if (text.front() == '"' || text.front() == '\\') {
      *at++ = '\\';
      *at++ = text.front();
      text.remove_prefix(1);
    } else {
      at = write_character(at, text);
    }
    at = write_plain<'\\'>(at, text);
  }
  *at = '"';
  return at + 1;
}

[[gnu::noinline]] char* write_escaped_csv(char* at, std::string_view text) {
  const bool quoted = text.find_first_of("\",") != std::string_view::npos;
  if (quoted) *at++ = '"';
  while (!text.empty()) {
    if (text.front() == '"') *at++ = '"';
    at = write_character(at, text);
  }
  if (quoted) *at++ = '"';
  return at;
}

}  // namespace

char* write_json_string(char* at, std::string_view text) {
  if (!copy_plain<'\\'>(at + 1, text)) return write_escaped_json(at, text);
  at[0] = '"';
  at[text.size() + 1] = '"';
  return at + text.size() + 2;
}

char* write_csv_text(char* at, std::string_view text) {
  return copy_plain<','>(at, text) ? at + text.size() : write_escaped_csv(at, text);
}

std::string fit_text(std::string_view text, std::size_t width) {
  std::string shown = printable(std::string(text.substr(0, width + 1)));
  if (shown.size() <= width) return shown;
  shown.resize(width - 2);
  return shown + "..";
}

namespace {

char* write_ipv4(char* at, std::uint64_t address) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    at = write_octet(at, address >> shift & 0xff);
    *at++ = '.';
  }
  return at - 1;
}

/// A hexadecimal number without leading zeros.
char* write_group(char* at, unsigned group) {
  for (int shift = group >= 0x1000 ? 12 : group >= 0x100 ? 8 : group >= 0x10 ? 4 : 0; shift >= 0; shift -= 4) {
    *at++ = kHex[group >> shift & 15];
  }
  return at;
}

/// RFC 5952, section 4: "::" replaces the first of the longest runs of zero groups,
/// if that has two or more. Section 5: an IPv4 address at the end is dotted.
char* write_ipv6(char* at, const Address& address) {
  const auto group = [&](int i) {
    return static_cast<unsigned>((i < 4 ? address.high : address.low) >> (48 - 16 * (i & 3)) & 0xffff);
  };
  int zeros = 8, length = 1;  // the first group of the run, and how many it has
  for (int i = 0, run = 0; i < 8; ++i) {
    run = group(i) == 0 ? run + 1 : 0;
    if (run > length) length = run, zeros = i + 1 - run;
  }
  const bool has_ipv4 = zeros == 0 && (length == 6 || (length == 5 && group(5) == 0xffff));
  for (int i = 0; i < (has_ipv4 ? 6 : 8);) {
    if (i == zeros) {
      *at++ = ':';
      if (i == 0) *at++ = ':';
      i += length;
    } else {
      at = write_group(at, group(i));
      if (++i < 8) *at++ = ':';
    }
  }
  return has_ipv4 ? write_ipv4(at, address.low) : at;
}

}  // namespace

char* write_address(char* at, const Address& address, int ip_version) {
  return ip_version == 4 ? write_ipv4(at, address.low) : write_ipv6(at, address);
}

char* write_vlan(char* at, VlanIds ids) {
  if (ids.count() >= 1) at = write_integer(at, ids.outer());
  if (ids.count() >= 2) *at++ = '.';
  if (ids.count() >= 2) at = write_integer(at, ids.inner());
  return at;
}

}  // namespace wirelap
