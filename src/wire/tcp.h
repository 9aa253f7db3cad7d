// wire: TCP headers and options (RFC 9293, RFC 7323, RFC 2018).
//
// In: an IP packet's payload. Out: the header's fields in host order, and the
// header's length. Checksums are not verified (ip.h explains why).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"

namespace wirelap {

/// Control bits (RFC 9293, section 3.1).
enum TcpFlag : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

/// A TCP header. The members are in the reverse order of the fields on the wire: on a
/// little-endian machine, the compiler converts eight bytes at once.
struct TcpHeader {
  std::uint16_t window = 0;          ///< as sent, without the window scale
  std::uint8_t flags = 0;            ///< TcpFlag bits
  std::uint8_t data_offset = 0;      ///< Data Offset in the upper 4 bits, reserved bits below
  std::uint32_t acknowledgment = 0;  ///< Acknowledgment Number; has a meaning only with kAck
  std::uint32_t sequence = 0;        ///< Sequence Number
  std::uint16_t destination_port = 0;
  std::uint16_t source_port = 0;
  Bytes options;  ///< the captured part
};

/// The TCP options that wirelap uses. An option that was not sent keeps its default.
struct TcpOptions {
  std::uint16_t max_segment_size = 0;  ///< Maximum Segment Size in bytes; 0: not sent
  std::int8_t window_shift = -1;       ///< Window Scale, shift.cnt; at most 14 (RFC 7323, section 2.3); -1: not sent
  bool sack_permitted = false;
  bool has_timestamps = false;
  std::uint32_t tsval = 0;
  std::uint32_t tsecr = 0;
  int sack_blocks = 0;  ///< how many of `sack` are set, at most 4
  struct {
    std::uint32_t left_edge, right_edge;
  } sack[4] = {};
};

/// Bytes of a TCP header without options.
inline constexpr std::uint32_t kTcpHeaderBytes = 20;

/// Decodes the TCP header at the start of `bytes`, the captured part of an IP payload of
/// `wire_length` bytes. Sets `header_bytes` to the header's length with options. Returns
/// DecodeError::none, tcp_truncated or tcp_malformed; after an error `tcp` has no meaning.
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

/// Decodes options up to the end, the End of Option List option, or the first malformed
/// option. Options before that one count.
TcpOptions decode_tcp_options(Bytes options);

/// Two No-Operation options, then kind and length of the Timestamps option: how most
/// segments start their options (RFC 7323, appendix A).
inline constexpr std::uint32_t kNopNopTimestamps = 0x0101080a;

/// decode_tsval for options that do not start with kNopNopTimestamps, for example a SYN's.
std::uint32_t decode_tsval_slowly(Bytes options);

/// Returns TSval of the Timestamps option (RFC 7323, section 3.2); 0 where there is none.
inline std::uint32_t decode_tsval(Bytes options) {
  if (options.size() < 12) return 0;
  if (load_be32(options.data()) == kNopNopTimestamps) return load_be32(&options[4]);
  return decode_tsval_slowly(options);
}

}  // namespace wirelap
