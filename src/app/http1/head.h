// http1: message heads (RFC 9112, sections 2 to 6; RFC 9110).
//
// In: the bytes of one head. Out: its start line, and the header fields that show the
// message's length, host and upgrade. All other fields are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flow/direction.h"

namespace wirelap::http1 {

/// The minor version of HTTP/0.9, whose messages carry no version (RFC 1945, section 4.1).
inline constexpr std::uint8_t kNoVersion = 9;

/// A message head. Its views point into the bytes that were parsed.
struct Head {
  Head() {}  // otherwise everything would be zeroed before it is set

  std::uint8_t minor_version = 1;             ///< of HTTP/1; kNoVersion: HTTP/0.9
  int status = 0;                             ///< of a response: three digits
  std::string_view method;                    ///< of a request
  std::string_view target;                    ///< of a request
  std::string_view host;                      ///< of a request
  std::string_view upgrade;                   ///< the protocol to switch to (RFC 9110, section 7.8)
  std::string_view fields;                    ///< all field lines
  std::size_t size = std::string_view::npos;  ///< with the empty line at its end; npos where it has none
  std::optional<std::uint64_t> content_length;
  bool chunked = false;            ///< chunked is the last transfer coding
  bool transfer_encoding = false;  ///< there is one, of whatever kind
  /// Whether the final response is still to come (RFC 9110, section 15.2). 101 counts as final.
  bool is_interim() const { return status >= 100 && status < 200 && status != 101; }

  bool bad_length = false;  ///< Content-Length is not a valid length, or has two different values
};

/// How a message's body ends (RFC 9112, section 6.3).
struct Framing {
  enum class Kind : std::uint8_t {
    length,       ///< `length` bytes, 0 for none
    chunked,      ///< until the last chunk
    until_close,  ///< until the stream ends
    tunnel,       ///< no body; the bytes after the message, until the stream ends, are of another protocol
    unknown,      ///< not known
  };
  Kind kind = Kind::length;
  std::uint64_t length = 0;
  bool doubtful = false;  ///< there may be no body at all, since the request may have been HEAD
};

/// Whether `text` is a token (RFC 9110, section 5.6.2), as methods and field names are.
bool is_token(std::string_view text);

/// Whether `text` equals `lower_case`, a text in lower case, if case is ignored.
bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

/// Whether bytes are the beginning of a message. `maybe`: more bytes are needed to decide.
enum class Likeness : std::uint8_t { no, maybe, yes };

/// Whether `bytes` begin with a method and a space, or in a response with "HTTP/" in any case.
Likeness looks_like_start(std::string_view bytes, Direction direction);

/// Whether `bytes` begin with a whole start line. `maybe` while they do not contain its end.
Likeness is_start_line(std::string_view bytes, Direction direction);

/// Whether `bytes` begin with the whole line of an HTTP/0.9 request (RFC 1945, section 5): a method and a path, without
/// a version. HTTP/0.9 defines GET alone, but servers answer other methods, too.
bool is_simple_request(std::string_view bytes);

/// Parses the line of an HTTP/0.9 request.
Head parse_simple_request(std::string_view line);

/// Searches `bytes`, which are from the middle of a stream, for the start line of a message. Returns its offset, or
/// npos where there is none. A request begins with `bytes` or after an empty line. A response begins with `bytes` or,
/// if `inside`, anywhere. Sets `likeness`: maybe where `bytes` end inside the line.
std::size_t find_start_line(std::string_view bytes, Direction direction, bool inside, Likeness& likeness);

/// Returns the offset after the empty line that ends a head (CR LF, or LF alone: RFC 9112, section 2.2); npos where
/// `bytes` contain none from offset `from` on.
std::size_t find_head_end(std::string_view bytes, std::size_t from);

/// Parses the head at the start of `bytes`, as far as they contain it. Returns nothing where the start line is not one
/// of HTTP/1.
std::optional<Head> parse_head(std::string_view bytes, Direction direction);

/// Parses the complete lines of a head. Returns nothing where the start line is not complete.
std::optional<Head> parse_cut_head(std::string_view bytes, Direction direction);

/// Whether the connection switches to another protocol after this response to a request of `method` (RFC 9110, sections
/// 7.8 and 9.3.6).
bool begins_tunnel(const Head& head, std::string_view method);

/// Returns the value of the field with this name, in lower case, among the lines of `fields`. Several lines of one name
/// are joined with ", " (RFC 9110, section 5.3). Returns nothing where there is none.
std::optional<std::string> find_field(std::string_view fields, std::string_view name);

/// Returns how a request's body ends.
Framing request_framing(const Head& head);

/// Returns how the body of a final response ends. `method`: of its request; empty: not known.
Framing response_framing(const Head& head, std::string_view method);

}  // namespace wirelap::http1
