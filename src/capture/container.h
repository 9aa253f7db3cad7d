// capture: what a file's first bytes say that it is.
//
// In: the first bytes. Out: the container, and for one that is not read what to
// do with it. Names of files are not looked at.
#pragma once

#include "base/bytes.h"

namespace wirelap {

/// Bytes that tell all containers that are read.
inline constexpr std::size_t kMagicBytes = 24;
/// Bytes that name those which are not.
inline constexpr std::size_t kForeignBytes = 96;

bool is_pcapng(Bytes start);

/// A compressed file, and the program that opens it.
struct Compression {
  const char* article;  ///< "a", "an"
  const char* program;  ///< gzip, zstd, xz, lz4 or bzip2
  const char* package;  ///< Debian's that has it
};

/// The compression that `start` begins with; null where none.
const Compression* find_compression(Bytes start);

/// Whether a compression's program has that name.
bool is_decompressor(std::string_view program);

/// A capture, or what may hold one, that is not read.
struct Foreign {
  const char* what;    ///< what it is
  const char* advice;  ///< how to get what wirelap reads
};

/// What `start` begins with; null where that is not known.
const Foreign* find_foreign(Bytes start);

}  // namespace wirelap
