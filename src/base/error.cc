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
  const bool placed = fault.block != 0 || fault.record != 0 || fault.offset != 0;
  if (fault.block != 0) line += "block " + std::to_string(fault.block) + " ";
  if (fault.block == 0 && fault.record != 0) line += "record " + std::to_string(fault.record) + " ";
  if (placed) line += "at byte " + std::to_string(fault.offset) + (fault.decompressed ? " decompressed: " : ": ");
  return line + fault.what;
}

}  // namespace wirelap
