#include "base/error.h"

namespace wirelap {

std::string printable(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      escaped += c;
    } else {
      escaped += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return escaped;
}

std::string error_text(const Error& error) {
  std::string line = printable(error.capture) + ": ";
  const bool has_place = error.block != 0 || error.record != 0 || error.offset != 0;
  if (error.block != 0) line += "block " + std::to_string(error.block) + " ";
  if (error.block == 0 && error.record != 0) line += "record " + std::to_string(error.record) + " ";
  if (has_place) line += "at byte " + std::to_string(error.offset) + (error.decompressed ? " decompressed: " : ": ");
  return line + error.what;
}

}  // namespace wirelap
