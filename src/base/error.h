// base: what stopped a capture from being read.
//
// Only the container and I/O can fail a run; a malformed packet is data and is
// counted, never reported through here.
#pragma once

#include <cstdint>
#include <string>

namespace wirelap {

/// Why, and where, a capture could not be read on.
struct Error {
  enum class Kind {
    unreadable,   ///< it could not be opened or read: the system said no
    not_capture,  ///< its first bytes are no capture that wirelap reads
    damaged,      ///< a record contradicts itself; what follows has no known start
    truncated,    ///< it ends inside its last record, as a killed tcpdump leaves it
  };

  Kind kind{};
  std::string capture;        ///< file name as given
  std::string what;           ///< what was needed and what was there, one line of plain text
  std::uint64_t record = 0;   ///< number of the record, from 1; 0 where the error is before any
  std::uint64_t offset = 0;   ///< byte offset in the capture of that record or header
  std::uint64_t block = 0;    ///< pcapng: number of the block at `offset`, from 1; else 0
  bool decompressed = false;  ///< `offset` counts decompressed bytes
};

/// One line for standard error, without the program's name and without a line end:
/// `file: record 7 at byte 5120: what`; a block's number stands in a record's place. Bytes that could drive a terminal
/// are escaped.
std::string error_text(const Error& error);

/// `text` with every byte outside printable ASCII written as \xNN, for terminals.
std::string printable(const std::string& text);

}  // namespace wirelap
