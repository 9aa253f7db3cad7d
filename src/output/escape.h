// output: escapes text from captures.
//
// In: bytes that a peer sent, all of them hostile. Out: text in which no control character, invalid UTF-8 or quote
// changes how a reader or a terminal interprets the output.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/output.h"
#include "record/schema.h"
#include "wire/ip.h"

namespace wirelap {

/// Length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`, 0 where there is none.
std::size_t utf8_length(std::string_view text);

/// Bytes of room that a text of `size` needs, escaped and quoted.
constexpr std::size_t escaped_room(std::size_t size) { return 6 * size + 2; }

/// Writes `text` as a JSON string with its quotes (RFC 8259). Quotes, backslashes and control characters (C0, DEL and
/// C1) are escaped; each byte that is not UTF-8 becomes U+FFFD. `at` has escaped_room. Returns where the string ends.
char* write_json_string(char* at, std::string_view text);

/// Writes `text` as a CSV field (RFC 4180), in quotes where it needs them; control characters and invalid UTF-8 as in
/// JSON. `at` has escaped_room. Returns where the field ends.
char* write_csv_text(char* at, std::string_view text);

/// `text` with everything but printable ASCII as \xNN. Longer than `width` columns (at least 2), it is cut and ends in
/// two dots.
std::string fit_text(std::string_view text, std::size_t width);

/// Bytes of room that any value but a text needs, with its separators.
inline constexpr std::size_t kValueRoom = 64;

/// Writes an address, as dotted decimal or as in RFC 5952, into kValueRoom bytes. Returns where it ends.
char* write_address(char* at, const Address& address, int ip_version);

/// Appends an address as write_address does.
inline void put_address(Output& output, const Address& address, int ip_version) {
  output.end_at(write_address(output.room(kValueRoom), address, ip_version));
}

/// Writes VLAN identifiers into kValueRoom bytes, outermost first with a dot between two; nothing where there are none.
/// Returns where they end.
char* write_vlan(char* at, VlanIds ids);

}  // namespace wirelap
