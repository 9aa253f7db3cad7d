#include "report/escape.h"

#include <arpa/inet.h>

#include "base/error.h"

namespace wirelap {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Characters that stand for themselves in a JSON string.
bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void put_unicode_escape(Output& output, unsigned code) {
  const char escape[] = {'\\', 'u', '0', '0', kHex[code >> 4 & 15], kHex[code & 15]};
  output.put(std::string_view(escape, sizeof escape));
}

/// Appends the character at the front of `text`, with control characters as
/// \u00XX, and takes it off.
void put_character(Output& output, std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = utf8_length(text);
  const bool c1 = length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  if (length == 0) {
    output.put(kReplacement);
  } else if (lead < 0x20 || lead == 0x7f || c1) {
    put_unicode_escape(output, c1 ? static_cast<unsigned char>(text[1]) : lead);
  } else {
    output.put(text.substr(0, length));
  }
  text.remove_prefix(length == 0 ? 1 : length);
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

void put_json_text(Output& output, std::string_view text) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    output.put(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    if (text.front() == '"' || text.front() == '\\') {
      output.put('\\');
      output.put(text.front());
      text.remove_prefix(1);
    } else {
      put_character(output, text);
    }
  }
}

void put_csv_text(Output& output, std::string_view text) {
  const bool quoted = text.find_first_of("\",") != std::string_view::npos;
  if (quoted) output.put('"');
  while (!text.empty()) {
    if (text.front() == '"') output.put('"');
    put_character(output, text);
  }
  if (quoted) output.put('"');
}

std::string fit_text(std::string_view text, std::size_t width) {
  std::string shown = printable(std::string(text.substr(0, width + 1)));
  if (shown.size() <= width) return shown;
  shown.resize(width - 2);
  return shown + "..";
}

void put_address(Output& output, const Address& address, int ip_version) {
  if (ip_version == 4) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      output.put_integer(address.low >> shift & 0xff);
      if (shift != 0) output.put('.');
    }
    return;
  }
  std::uint8_t bytes[16];
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(address.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(address.low >> (56 - 8 * i));
  }
  char shown[INET6_ADDRSTRLEN];
  output.put(::inet_ntop(AF_INET6, bytes, shown, sizeof shown));
}

void put_vlan(Output& output, std::uint32_t tag) {
  const std::uint32_t count = tag >> 24 & 3;
  if (count >= 1) output.put_integer(tag & 0xfff);
  if (count >= 2) output.put('.');
  if (count >= 2) output.put_integer(tag >> 12 & 0xfff);
}

}  // namespace wirelap
