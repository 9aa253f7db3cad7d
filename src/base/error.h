// base: the error that ends the reading of a capture.
//
// Only the file format and I/O can cause such an error. A malformed packet is data:
// it is counted (wire/decode_error.h).
#pragma once

#include <cstdint>
#include <string>

namespace wirelap {

/// Why a capture could not be read further, and where in the capture.
struct Error {
  enum class Kind {
    unreadable,   ///< opening or reading failed
    not_capture,  ///< the first bytes are not those of a capture that wirelap reads
    damaged,      ///< a record contradicts itself; the start of the next one is unknown
    truncated,    ///< the capture ends inside its last record, as after a killed tcpdump
  };

  Kind kind{};
  std::string capture;        ///< file name as given
  std::string what;           ///< what was expected and what was found, one line of plain text
  std::uint64_t record = 0;   ///< number of the record, from 1; 0: before the first record
  std::uint64_t offset = 0;   ///< offset in bytes of that record or header in the capture
  std::uint64_t block = 0;    ///< pcapng: number of the block at `offset`, from 1; 0: not pcapng
  bool decompressed = false;  ///< `offset` counts decompressed bytes
};

/// Returns the error as one line for standard error, without the program's name and a line end:
/// `file: record 7 at byte 5120: what`, or `file: block 7 at byte 5120: what`. The file name is
/// printable().
std::string error_text(const Error& error);

/// Returns `text` with every byte outside printable ASCII as \xNN, so that it cannot control a terminal.
std::string printable(const std::string& text);

}  // namespace wirelap
