#include "base/error.h"

namespace wirelap {

std::string printable(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      shown += c;
    } else {
      shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return shown;
}

std::string describe(const Fault& fault) {
  std::string line = printable(fault.capture) + ": ";
  if (fault.record != 0) line += "record " + std::to_string(fault.record) + " ";
  if (fault.record != 0 || fault.offset != 0) line += "at byte " + std::to_string(fault.offset) + ": ";
  return line + fault.what;
}

}  // namespace wirelap
