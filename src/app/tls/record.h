// tls: the header of a record (RFC 8446, section 5.1).
//
// In: bytes. Out: whether they can be the header of a record, and whether they are
// whole records.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace wirelap::tls {

/// RFC 8446, section 5.1; heartbeat: RFC 6520.
enum class ContentType : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
  heartbeat = 24,
};

/// type, legacy_record_version and length.
inline constexpr std::size_t kRecordHeaderBytes = 5;
/// The largest TLSCiphertext.length (RFC 5246, section 6.2.3). RFC 8446 allows less.
inline constexpr std::uint16_t kMaxRecordLength = (1 << 14) + 2048;

/// Whether the first `count` bytes at `header` can be the beginning of a record's header.
inline bool is_record_header(const std::uint8_t* header, std::size_t count) {
  if (count > 0 && (header[0] < 20 || header[0] > 24)) return false;
  if (count > 1 && header[1] != 3) return false;
  if (count > 2 && header[2] > 4) return false;
  if (count < kRecordHeaderBytes) return true;
  const std::uint16_t length = load_be16(header + 3);
  const bool may_be_empty = header[0] == static_cast<std::uint8_t>(ContentType::application_data);
  return length <= kMaxRecordLength && (length > 0 || may_be_empty);
}

/// Whether `bytes` are whole records, of which the first one is application data. Other protocols hardly ever look like
/// this.
inline bool are_data_records(Bytes bytes) {
  if (bytes.empty() || bytes[0] != static_cast<std::uint8_t>(ContentType::application_data)) return false;
  while (bytes.size() > kRecordHeaderBytes && is_record_header(bytes.data(), bytes.size())) {
    const std::size_t length = kRecordHeaderBytes + load_be16(bytes.data() + 3);
    if (bytes[1] != 3 || bytes[2] == 0 || length > bytes.size()) return false;
    bytes = bytes.subspan(length);
  }
  return bytes.empty();
}

}  // namespace wirelap::tls
