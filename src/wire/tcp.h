// wire: TCP headers and options (RFC 9293, RFC 7323, RFC 2018).
//
// In: an IP packet's payload. Out: the header's fields in host order and where
// the data are. Checksums are not verified (see ip.h).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"

namespace wirelap {

/// The control bits (RFC 9293, section 3.1).
enum TcpFlag : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

/// A TCP header. Its fields stand in the reverse of their order on the wire: where a machine's
/// byte order is the reverse of the network's, eight bytes of them are turned round at once.
struct TcpHeader {
  std::uint16_t window = 0;          ///< as sent, not scaled
  std::uint8_t flags = 0;            ///< TcpFlag bits
  std::uint8_t data_offset = 0;      ///< Data Offset, and below it reserved bits
  std::uint32_t acknowledgment = 0;  ///< has a meaning only with kAck
  std::uint32_t sequence = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t source_port = 0;
  Bytes options;  ///< as far as captured
};

/// The options that matter here; what was not sent keeps its default.
struct TcpOptions {
  std::uint16_t max_segment_size = 0;  ///< 0: not sent
  std::int8_t window_shift = -1;       ///< -1: not sent; at most 14 (RFC 7323, 2.3)
  bool sack_permitted = false;
  bool has_timestamps = false;
  std::uint32_t tsval = 0;
  std::uint32_t tsecr = 0;
  int sack_blocks = 0;  ///< of `sack`, at most 4
  struct {
    std::uint32_t left_edge, right_edge;
  } sack[4] = {};
};

inline constexpr std::uint32_t kTcpHeaderBytes = 20;

/// Decodes the header at the start of `bytes`, of which `wire_length` bytes
/// were on the wire. Returns DecodeError::none with `header_bytes`, the header's length
/// with options, set; or why there is no header.
inline DecodeError decode_tcp(Bytes bytes, std::uint32_t wire_length, TcpHeader& tcp, std::uint32_t& header_bytes) {
  if (bytes.size() < kTcpHeaderBytes) {
    return wire_length < kTcpHeaderBytes ? DecodeError::tcp_malformed : DecodeError::tcp_truncated;
  }
  const std::uint8_t* const at = bytes.data();
  const std::uint64_t first = load_be64(at), second = load_be64(at + 8);
  header_bytes = static_cast<std::uint32_t>(second >> 26) & 0x3c;
  if (header_bytes < kTcpHeaderBytes || header_bytes > wire_length) return DecodeError::tcp_malformed;
  const std::size_t held = bytes.size() < header_bytes ? bytes.size() : header_bytes;
  tcp.options = {at + kTcpHeaderBytes, held - kTcpHeaderBytes};
  tcp.window = static_cast<std::uint16_t>(second);
  tcp.flags = static_cast<std::uint8_t>(second >> 16);
  tcp.data_offset = static_cast<std::uint8_t>(second >> 24);
  tcp.acknowledgment = static_cast<std::uint32_t>(second >> 32);
  tcp.sequence = static_cast<std::uint32_t>(first);
  tcp.destination_port = static_cast<std::uint16_t>(first >> 32);
  tcp.source_port = static_cast<std::uint16_t>(first >> 48);
  return DecodeError::none;
}

/// Parses options up to the end, the End of Option List, or the first one that
/// does not fit; those before it count.
TcpOptions decode_tcp_options(Bytes options);

/// Two fillers and the timestamps option, as nearly all segments have them (RFC 7323, appendix A).
inline constexpr std::uint32_t kNopNopTimestamps = 0x0101080a;

/// tsval of options that are not only these, as a SYN's.
std::uint32_t decode_tsval_slow(Bytes options);

/// TSval of a segment (RFC 7323, 3.2); 0 where it carries none.
inline std::uint32_t decode_tsval(Bytes options) {
  if (options.size() < 12) return 0;
  if (load_be32(options.data()) == kNopNopTimestamps) return load_be32(&options[4]);
  return decode_tsval_slow(options);
}

}  // namespace wirelap
