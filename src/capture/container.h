// capture: recognizes a file's format by its first bytes.
//
// In: the first bytes. Out: the format; for one that wirelap does not read, advice
// how to convert it. File names are not used.
#pragma once

#include "base/bytes.h"

namespace wirelap {

/// The bytes that suffice to recognize all formats that wirelap reads.
inline constexpr std::size_t kMagicBytes = 24;
/// The bytes that suffice to recognize the formats that wirelap does not read.
inline constexpr std::size_t kUnsupportedMagicBytes = 96;

/// Whether `start` is the start of a pcapng capture.
bool is_pcapng(Bytes start);

/// A compression format and the program that decompresses it.
struct Compression {
  const char* article;  ///< "a" or "an", for messages
  const char* program;  ///< gzip, zstd, xz, lz4 or bzip2
  const char* package;  ///< the Debian package that contains it
};

/// The compression format of a file that starts with `start`; null where it is none.
const Compression* find_compression(Bytes start);

/// Whether `program` is the program of a Compression.
bool is_decompressor(std::string_view program);

/// A format that may contain a capture and that wirelap does not read.
struct UnsupportedFormat {
  const char* name;    ///< with its article: "a snoop capture"
  const char* advice;  ///< how to get a capture that wirelap reads
};

/// The unsupported format of a file that starts with `start`; null where wirelap does not know it.
const UnsupportedFormat* find_unsupported(Bytes start);

}  // namespace wirelap
