// http: message heads (RFC 9112, sections 2 to 6; RFC 9110).
//
// In: the bytes of one head, whole. Out: its start line and the fields that
// frame the message or name it. All other fields are passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flow/direction.h"

namespace wirelap::http1 {

/// Stands for HTTP/0.9, whose messages have no version (RFC 1945, section 4.1).
inline constexpr std::uint8_t kNoVersion = 9;

/// A head. The views point into the bytes that were parsed.
struct Head {
  Head() {}  // without it all would be zeroed before it is set

  std::uint8_t minor_version = 1;  ///< of HTTP/1; kNoVersion: the version before it
  int status = 0;                  ///< of a response: three digits
  std::string_view method;         ///< of a request, as the others
  std::string_view target;
  std::string_view host;
  std::string_view upgrade;                   ///< what the connection becomes or shall become (RFC 9110, 7.8)
  std::string_view fields;                    ///< all field lines
  std::size_t size = std::string_view::npos;  ///< with the empty line at its end; npos where that is not there
  std::optional<std::uint64_t> content_length;
  bool chunked = false;            ///< chunked is the last transfer coding
  bool transfer_encoding = false;  ///< there is one, of whatever kind
  /// Whether the final response is still to come (RFC 9110, 15.2); 101 is final here.
  bool is_interim() const { return status >= 100 && status < 200 && status != 101; }

  bool bad_length = false;  ///< Content-Length is no number that a body can have, or says two different things
};

/// How the end of a message's body is told (RFC 9112, section 6.3).
struct Framing {
  enum class Kind : std::uint8_t {
    length,       ///< `length` bytes, 0 for none
    chunked,      ///< until the last chunk
    until_close,  ///< until the stream ends
    tunnel,       ///< none; what follows the message, until the stream ends, is another protocol's
    unknown,      ///< nobody can tell
  };
  Kind kind = Kind::length;
  std::uint64_t length = 0;
  bool doubtful = false;  ///< there may be none at all: whether HEAD was asked is not known
};

/// Whether `text` is a token (RFC 9110, 5.6.2), as methods and field names are.
bool is_token(std::string_view text);

/// Whether `text` is `lower_case`, which is that, in whatever case.
bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

/// How much of a prefix `looks_like_start` could judge.
enum class Likeness : std::uint8_t { no, maybe, yes };

/// Whether `bytes`, from a message's first byte on, begin a message of `direction`:
/// a method and a space, or "HTTP/" in whatever case. `maybe` where more bytes are needed.
Likeness looks_like_start(std::string_view bytes, Direction direction);

/// The same for the whole start line: `maybe` while its end is not in `bytes`.
Likeness is_start_line(std::string_view bytes, Direction direction);

/// Whether `bytes` begin with the whole line of an HTTP/0.9 request (RFC 1945,
/// section 5): a method and a path, without a version. GET is the only one that
/// it knows, but servers answer others, too.
bool is_simple_request(std::string_view bytes);

/// Parses such a line.
Head parse_simple_request(std::string_view line);

/// Where the start line of a message of `direction` may begin in `bytes`, which are
/// from the midst of a stream; npos if nowhere. A request begins with `bytes`
/// or after an empty line; a response where it likes if `inside`, else with
/// `bytes`. `likeness`: maybe where the end of `bytes` cuts the line.
std::size_t find_start_line(std::string_view bytes, Direction direction, bool inside, Likeness& likeness);

/// Where a head ends: the offset after its empty line (CR LF, or LF alone:
/// RFC 9112, section 2.2), or npos where `bytes` has none from offset `from` on.
std::size_t find_head_end(std::string_view bytes, std::size_t from);

/// Parses the head that `bytes` begin with, as far as they have it; nothing where its start line is
/// not one of HTTP/1.
std::optional<Head> parse_head(std::string_view bytes, Direction direction);

/// Parses the start line and those field lines of a head that are whole; nothing
/// where the start line is not.
std::optional<Head> parse_cut_head(std::string_view bytes, Direction direction);

/// Whether after this response the connection belongs to another protocol
/// (RFC 9110, 7.8 and 9.3.6).
bool begins_tunnel(const Head& head, std::string_view method);

/// The value of a field among `fields` by its name in lower case; several lines
/// of one name are joined with ", " (RFC 9110, 5.3). Nothing where it is not there.
std::optional<std::string> find_field(std::string_view fields, std::string_view name);

/// Framing of a request's body.
Framing request_framing(const Head& head);

/// Framing of a final response's body; `method` is its request's, empty if unknown.
Framing response_framing(const Head& head, std::string_view method);

}  // namespace wirelap::http1
