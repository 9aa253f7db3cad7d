#include "app/http1/head.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>

#include "app/http1/lines.h"

namespace wirelap::http1 {
namespace {

constexpr std::string_view kVersion = "HTTP/", kLowerVersion = "http/";
constexpr std::size_t kMaxMethod = 32;
constexpr std::size_t kMaxSearchedLine = 8192;  // of a start line that is searched for
// Most receivers hold lengths in 63 bits.
constexpr std::uint64_t kMaxLength = std::numeric_limits<std::int64_t>::max();

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_blank(char c) {
  constexpr std::uint64_t kBlanks = 1ull << ' ' | 1ull << '\t' | 1ull << '\r' | 1ull << '\n';
  const auto byte = static_cast<unsigned char>(c);
  return byte <= ' ' && (kBlanks >> byte & 1) != 0;
}

/// tchar of RFC 9110, section 5.6.2.
bool is_token_char(char c) {
  static constexpr auto kIsOne = [] {
    std::array<bool, 256> is_one{};
    for (const char mark : std::string_view("!#$%&'*+-.^_`|~")) is_one[static_cast<unsigned char>(mark)] = true;
    for (unsigned char digit = '0'; digit <= '9'; ++digit) is_one[digit] = true;
    for (unsigned char letter = 'a'; letter <= 'z'; ++letter) is_one[letter] = is_one[letter - 0x20u] = true;
    return is_one;
  }();
  return kIsOne[static_cast<unsigned char>(c)];
}

/// Up to eight characters in lower case, for a comparison that ignores case.
struct Word {
  std::array<char, 8> text{}, mask{}, either_case{};

  consteval Word(const char* from) {
    for (std::size_t i = 0; i < 8 && from[i] != '\0'; ++i) {
      text[i] = from[i];
      mask[i] = '\xff';
      either_case[i] = from[i] >= 'a' && from[i] <= 'z' ? '\x20' : '\0';
    }
  }
};

/// Whether the text at `at`, of at least eight characters, begins with `word`.
inline bool is_word(const char* at, Word word) {
  std::uint64_t text;
  std::memcpy(&text, at, sizeof text);
  text = (text | std::bit_cast<std::uint64_t>(word.either_case)) & std::bit_cast<std::uint64_t>(word.mask);
  return text == std::bit_cast<std::uint64_t>(word.text);
}

inline std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

[[gnu::noinline]] std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return trim_end(text);
}

inline std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Removes the first line from `text` and returns it without its line end.
std::string_view remove_line(std::string_view& text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
  text.remove_prefix(line.size());
  return without_line_end(line);
}

/// Whether `text` is "HTTP/" or the beginning of it, in any case.
bool is_version_name(std::string_view text) {
  return text == kVersion.substr(0, text.size()) || equal_ignoring_case(text, kLowerVersion.substr(0, text.size()));
}

/// Parses "HTTP/", digits, a dot, digits. Only 1.0 and 1.1 exist, but peers send and accept other numbers, even 1.0.8
/// or "1."; all are parsed as HTTP/1. The name is case-sensitive (RFC 9112, section 2.3), but clients ignore that.
bool parse_version(std::string_view text, Head& head) {
  head.minor_version = 1;
  if (text.size() == 8 && std::memcmp(text.data(), "HTTP/1.1", 8) == 0) return true;
  if (text.size() < kVersion.size() || !is_version_name(text.substr(0, kVersion.size()))) return false;
  text.remove_prefix(kVersion.size());
  const std::size_t dot = text.find('.');
  if (dot == 0 || dot == std::string_view::npos) return false;
  const auto all_digits = [](std::string_view part) { return std::all_of(part.begin(), part.end(), is_digit); };
  const std::string_view minor = text.substr(dot + 1, text.find('.', dot + 1) - (dot + 1));
  if (!all_digits(text.substr(0, dot)) || !all_digits(minor)) return false;
  if (minor.empty() && dot + 1 != text.size()) return false;
  const std::string_view more = text.substr(dot + 1 + minor.size());
  if (!std::all_of(more.begin(), more.end(), [](char c) { return is_digit(c) || c == '.'; })) return false;
  head.minor_version = text.starts_with("1.0") && minor.size() == 1 ? 0 : 1;
  return true;
}

constexpr std::string_view kUsualEnd = " HTTP/1.1";

/// Whether `line` ends as most request lines do.
inline bool ends_with_version(std::string_view line) {
  return line.size() >= kUsualEnd.size() &&
         std::memcmp(line.data() + line.size() - kUsualEnd.size(), kUsualEnd.data(), kUsualEnd.size()) == 0;
}

/// Parses method SP target SP version (RFC 9112, section 3). The target may be absent. It ends at the last space, since
/// some clients send spaces inside it.
bool parse_request_line(std::string_view line, Head& head) {
  line = trim_end(line);
  std::size_t first = 0;
  while (first < line.size() && is_token_char(line[first])) ++first;
  if (first == 0 || first > kMaxMethod || first == line.size() || line[first] != ' ') return false;
  head.method = line.substr(0, first);
  const bool is_usual = ends_with_version(line);
  std::size_t last = line.size() - (is_usual ? kUsualEnd.size() : 1);
  while (line[last] != ' ') --last;
  head.target = trim({line.data() + first, last - first});
  return is_usual || parse_version(line.substr(last + 1), head);
}

/// Parses version SP status [SP reason]. A tab may stand for a space (RFC 9112, section 4), and so may a bare CR
/// (section 2.2).
[[gnu::noinline]] bool parse_any_status_line(std::string_view line, Head& head) {
  std::size_t space = 0;
  while (space < line.size() && line[space] != ' ' && line[space] != '\t') ++space;
  if (space == line.size() || !parse_version(line.substr(0, space), head)) return false;
  const std::string_view rest = trim(line.substr(space));
  const std::string_view status = rest.substr(0, 3);
  if (status.size() != 3 || !std::all_of(status.begin(), status.end(), is_digit)) return false;
  if (rest.size() > 3 && rest[3] != ' ' && rest[3] != '\t' && rest[3] != '\r') return false;
  head.status = (status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0');
  return true;
}

/// Parses a status line. The fast path is for HTTP/1.1 with single spaces.
bool parse_status_line(std::string_view line, Head& head) {
  const auto is_end = [&](std::size_t at) { return at == line.size() || line[at] == ' '; };
  if (line.size() >= 12 && std::memcmp(line.data(), "HTTP/1.1 ", 9) == 0 && is_end(12) && is_digit(line[9]) &&
      is_digit(line[10]) && is_digit(line[11])) {
    head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return true;
  }
  return parse_any_status_line(line, head);
}

bool parse_start_line(std::string_view line, Direction direction, Head& head) {
  return direction == Direction::to_server ? parse_request_line(line, head) : parse_status_line(line, head);
}

[[gnu::noinline]] bool can_parse_start_line(std::string_view line, Direction direction) {
  Head head;
  return parse_start_line(line, direction, head);
}

/// Parses Content-Length, which may be a list of equal numbers (RFC 9112, section 6.3).
[[gnu::noinline]] void parse_content_length_list(std::string_view value, Head& head) {
  do {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view number = trim(value.substr(0, comma));
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), length);
    const bool all = !number.empty() && error == std::errc{} && end == number.data() + number.size();
    const bool whole = all && length <= kMaxLength;
    if (!whole || (head.content_length && *head.content_length != length)) head.bad_length = true;
    if (whole) head.content_length = length;
    value.remove_prefix(std::min(comma + 1, value.size()));
  } while (!value.empty());
}

/// Parses Content-Length. The fast path is for one number.
void parse_content_length(std::string_view value, Head& head) {
  std::uint64_t length = 0;
  std::size_t digits = 0;
  for (; digits < value.size() && is_digit(value[digits]); ++digits)
    length = length * 10 + static_cast<std::uint64_t>(value[digits] - '0');
  constexpr std::size_t kMaxDigits = std::numeric_limits<std::int64_t>::digits10;
  if (digits == value.size() && digits - 1 < kMaxDigits && !head.content_length) {
    head.content_length = length;
  } else {
    parse_content_length_list(value, head);
  }
}

/// Parses Transfer-Encoding. Only the last coding matters. Empty elements (RFC 9110, section 5.6.1.2) and "identity"
/// (RFC 2616) do not count.
void parse_transfer_encoding(std::string_view value, Head& head) {
  while (!value.empty() && (value.back() == ',' || trim(value).size() != value.size())) {
    value = trim(value.back() == ',' ? value.substr(0, value.size() - 1) : value);
  }
  const std::size_t comma = value.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? value : trim(value.substr(comma + 1));
  if (last.empty() || equal_ignoring_case(last, "identity")) return;
  head.transfer_encoding = true;
  head.chunked = equal_ignoring_case(last, "chunked");
}

/// Whether the line that begins at `at` is empty.
bool is_empty_line(std::string_view text, std::size_t at) {
  return text[at] == '\n' || (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n');
}

/// Whether the line at offset `at` continues the field before it (RFC 9112, section 5.2).
bool is_folded(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] <= ' ' && (text[at] == ' ' || text[at] == '\t');
}

/// Removes the first field line from `text`, with the lines folded onto it, and returns it.
std::string_view remove_field_line(std::string_view& text) {
  const std::string_view from = text;
  do {
    remove_line(text);
  } while (is_folded(text, 0));
  return from.substr(0, from.size() - text.size());
}

/// Whether `line` may begin a field that parse_field() needs, or be the empty line. This excludes most lines.
inline bool may_matter(std::string_view line) {
  constexpr std::size_t kLetters = 9;
  // Letters in either case, and blanks. Other bytes with the same low five bits pass, too, and are rejected later.
  constexpr std::uint32_t kFirst = 1u << ('h' & 31) | 1u << ('u' & 31) | 1u << ('c' & 31) | 1u << ('t' & 31) |
                                   1u << (' ' & 31) | 1u << ('\t' & 31) | 1u << ('\r' & 31) | 1u << ('\n' & 31);
  if ((kFirst >> (line[0] & 31) & 1) == 0) return false;
  if (line.size() < kLetters) return true;
  const auto letter = [&](std::size_t i) { return line[i] | 0x20; };
  switch (letter(0)) {
    case 'h': return letter(1) == 'o';
    case 'u': return letter(1) == 'p';
    case 'c': return letter(8) == 'l';
    case 't': return letter(1) == 'r';
    default: return is_blank(line[0]);
  }
}

/// Parses a field line that may have blanks anywhere. The length of the name excludes most fields.
[[gnu::noinline]] void parse_any_field(std::string_view line, Head& head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = trim(line.substr(0, colon));
  const auto value = [&] { return trim(line.substr(colon + 1)); };
  switch (name.size()) {
    case 4:
      if (equal_ignoring_case(name, "host") && head.host.empty()) head.host = value();
      break;
    case 7:
      if (equal_ignoring_case(name, "upgrade")) head.upgrade = value();
      break;
    case 14:
      if (equal_ignoring_case(name, "content-length")) parse_content_length(value(), head);
      break;
    case 17:
      if (equal_ignoring_case(name, "transfer-encoding")) parse_transfer_encoding(value(), head);
      break;
    default: break;
  }
}

/// Parses a field line. The fast path is for a name at its start, directly before the colon.
void parse_field(std::string_view line, Head& head) {
  const char* const at = line.data();
  if (line.size() >= 8 && is_word(at, "host:")) {
    if (head.host.empty()) head.host = trim(line.substr(5));
  } else if (line.size() > 15 && is_word(at, "content-") && is_word(at + 7, "-length:")) {
    parse_content_length(trim(line.substr(15)), head);
  } else {
    parse_any_field(line, head);
  }
}

}  // namespace

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return a == b || (b >= 'a' && b <= 'z' && a == b - 0x20); });
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

Likeness looks_like_start(std::string_view bytes, Direction direction) {
  if (direction == Direction::to_client) {
    const std::size_t compared = std::min(bytes.size(), kVersion.size());
    if (!is_version_name(bytes.substr(0, compared))) return Likeness::no;
    return compared == kVersion.size() ? Likeness::yes : Likeness::maybe;
  }
  const std::size_t most = std::min(bytes.size(), kMaxMethod + 1);
  std::size_t method = 0;
  while (method < most && is_token_char(bytes[method])) ++method;
  if (method == most) return bytes.size() > kMaxMethod ? Likeness::no : Likeness::maybe;
  return method != 0 && bytes[method] == ' ' ? Likeness::yes : Likeness::no;
}

Likeness is_start_line(std::string_view bytes, Direction direction) {
  const Likeness start = looks_like_start(bytes, direction);
  if (start == Likeness::no) return start;
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return Likeness::maybe;
  const std::string_view line = without_line_end({bytes.data(), end + 1});
  const bool is_one =
      (direction == Direction::to_server && ends_with_version(line)) || can_parse_start_line(line, direction);
  return is_one ? Likeness::yes : Likeness::no;
}

namespace {

/// Returns the next offset from `from` on where a message may begin; past the end where there is none.
std::size_t find_candidate(std::string_view bytes, Direction direction, bool inside, std::size_t from) {
  if (from == 0 && direction == Direction::to_server) return bytes.find_first_not_of("\r\n");
  if (from == 0 && !inside) return 0;
  if (direction == Direction::to_client) return inside ? bytes.find('H', from) : std::string_view::npos;
  return find_head_end(bytes, from - 1);
}

/// Whether `bytes` begin with a registered method (IANA's list), or end inside one. Accepting any token would be wrong:
/// after a gap the rest of a method is a token, too.
bool begins_with_method(std::string_view bytes) {
  constexpr std::string_view kMethods[] = {
      "GET",
      "HEAD",
      "POST",
      "PUT",
      "DELETE",
      "CONNECT",
      "OPTIONS",
      "TRACE",
      "PATCH",
      "PROPFIND",
      "REPORT",
      "SEARCH",
      "PROPPATCH",
      "MKCOL",
      "COPY",
      "MOVE",
      "LOCK",
      "UNLOCK",
      "MERGE",
      "CHECKOUT",
      "CHECKIN",
      "MKACTIVITY",
      "UPDATE",
      "LABEL",
      "ACL",
      "BIND",
      "REBIND",
      "UNBIND",
      "LINK",
      "UNLINK",
      "ORDERPATCH",
      "MKCALENDAR",
      "MKWORKSPACE",
      "BASELINE-CONTROL",
      "VERSION-CONTROL",
      "UNCHECKOUT",
      "MKREDIRECTREF",
      "UPDATEREDIRECTREF",
  };
  const std::string_view method = bytes.substr(0, bytes.find(' '));
  const bool whole = method.size() < bytes.size();
  return std::any_of(std::begin(kMethods), std::end(kMethods),
                     [&](std::string_view known) { return whole ? method == known : known.starts_with(method); });
}

}  // namespace

bool is_simple_request(std::string_view bytes) {
  const std::size_t path = bytes.substr(0, kMaxMethod + 1).find(' ') + 1;
  if (path == 0 || path >= bytes.size() || bytes[path] != '/') return false;
  std::size_t end = path;
  while (end < bytes.size() && bytes[end] > ' ' && bytes[end] != 0x7f) ++end;
  if (bytes.substr(end).starts_with('\r')) ++end;
  return bytes.substr(end).starts_with('\n') && begins_with_method(bytes);
}

std::size_t find_start_line(std::string_view bytes, Direction direction, bool inside, Likeness& likeness) {
  for (std::size_t at = 0; (at = find_candidate(bytes, direction, inside, at)) < bytes.size(); ++at) {
    const std::string_view rest = bytes.substr(at, kMaxSearchedLine);
    likeness = is_start_line(rest, direction);
    if (likeness == Likeness::no || (direction == Direction::to_server && !begins_with_method(rest))) continue;
    if (likeness == Likeness::yes || at + rest.size() == bytes.size()) return at;
  }
  likeness = Likeness::no;
  return std::string_view::npos;
}

std::size_t find_head_end(std::string_view bytes, std::size_t from) {
  LineEnds ends(bytes, from);
  for (std::size_t at = ends.pass(); at < bytes.size(); at = ends.pass()) {
    if (bytes[at] == '\r') ++at;
    if (at < bytes.size() && bytes[at] == '\n') return at + 1;
  }
  return std::string_view::npos;
}

Head parse_simple_request(std::string_view line) {
  Head head;
  head.minor_version = kNoVersion;
  const std::string_view text = remove_line(line);
  const std::size_t space = text.find(' ');
  head.method = text.substr(0, space);
  head.target = text.substr(space + 1);
  return head;
}

std::optional<Head> parse_head(std::string_view bytes, Direction direction) {
  std::optional<Head> found(std::in_place);
  Head& head = *found;
  LineEnds ends(bytes);
  std::size_t begin = ends.pass();
  const std::string_view line = without_line_end({bytes.data(), begin});
  if (!parse_start_line(line, direction, head)) {
    found.reset();
    return found;  // the same object as at the end, so that it is built in place
  }
  const std::size_t fields = begin;
  while (begin < bytes.size()) {
    std::size_t end = ends.pass();
    if (may_matter({bytes.data() + begin, end - begin})) {
      if (is_empty_line(bytes, begin)) {
        head.size = end;
        break;
      }
      // A line folded onto a field that is not needed is skipped, too.
      const bool is_field = begin == fields || !is_folded(bytes, begin);
      while (is_folded(bytes, end)) end = ends.pass();
      if (is_field) parse_field({bytes.data() + begin, end - begin}, head);
    }
    begin = end;
  }
  head.fields = {bytes.data() + fields, begin - fields};
  return found;
}

std::optional<Head> parse_cut_head(std::string_view bytes, Direction direction) {
  const std::size_t last = bytes.rfind('\n');
  return last == std::string_view::npos ? std::nullopt : parse_head(bytes.substr(0, last + 1), direction);
}

bool begins_tunnel(const Head& head, std::string_view method) {
  return head.status == 101 || (method == "CONNECT" && head.status / 100 == 2);
}

std::optional<std::string> find_field(std::string_view fields, std::string_view name) {
  std::optional<std::string> found;
  while (!fields.empty()) {
    const std::string_view line = remove_field_line(fields);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(trim(line.substr(0, colon)), name)) continue;
    found = (found ? *found + ", " : "") + std::string(trim(line.substr(colon + 1)));
  }
  return found;
}

// A request has a body where its head says so, whatever its method (RFC 9112, section 6.3).
Framing request_framing(const Head& head) {
  if (head.chunked) [[unlikely]]
    return {Framing::Kind::chunked, 0};
  if (head.transfer_encoding || head.bad_length) [[unlikely]]
    return {Framing::Kind::unknown, 0};
  return {Framing::Kind::length, head.content_length.value_or(0)};
}

Framing response_framing(const Head& head, std::string_view method) {
  if (method == "HEAD" || head.status == 204 || head.status == 304) return {Framing::Kind::length, 0};
  if (begins_tunnel(head, method)) return {Framing::Kind::tunnel, 0};
  const bool doubtful = method.empty();
  if (head.chunked) return {Framing::Kind::chunked, 0, doubtful};
  const bool until_close = head.transfer_encoding || head.bad_length || !head.content_length;
  if (until_close) return {Framing::Kind::until_close, 0, doubtful};
  return {Framing::Kind::length, *head.content_length, doubtful};
}

}  // namespace wirelap::http1
