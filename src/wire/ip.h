// wire: IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers.
//
// In: bytes from the IP header on. Out: addresses, the protocol above, and its
// payload with its length on the wire, which comes from the IP header: link
// padding never counts, and what a snaplen cut off does. Checksums are not
// verified: offload leaves them unset on captures made at the sender.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"

namespace wirelap {

struct DecodeState;

/// An IP address; IPv4 ones are kept IPv4-mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2).
struct Address {
  std::uint64_t high = 0;  ///< the first eight bytes, as a big-endian number
  std::uint64_t low = 0;

  friend bool operator==(const Address&, const Address&) = default;
  friend auto operator<=>(const Address&, const Address&) = default;
};

inline constexpr std::uint64_t kIpv4Mapped = 0xffff'0000'0000;

/// What an IP packet's header says, decoded as far as each packet needs it.
struct IpHeader {
  std::uint8_t addresses[32];  ///< as sent: the source's 4 or 16 bytes, behind them the destination's; not set beyond
  std::uint16_t id = 0;        ///< IPv4 Identification; 0 for IPv6
  std::uint8_t version = 0;    ///< 4 or 6

  Address source() const { return address(0); }
  Address destination() const { return address(1); }

 private:
  Address address(int place) const {
    if (version == 6) return {load_be64(&addresses[place * 16]), load_be64(&addresses[place * 16 + 8])};
    return {0, kIpv4Mapped | load_be32(&addresses[place * 4])};
  }
};

/// A packet's payload.
struct Payload {
  Bytes bytes;               ///< as far as captured
  std::uint32_t length = 0;  ///< on the wire
};

inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint32_t kIpv4HeaderBytes = 20;

/// Takes off an IP header, into `walk.ip`, but for its payload. The length that
/// the packet had on the wire by the capture's word serves where the header's own
/// is 0, as segmentation offload and jumbograms leave it.
/// DecodeError::fragment: `walk.layer` is a fragment's payload, `walk.fragment` its header.
DecodeError open_ip(DecodeState& walk);

/// True for IP protocols that are extension headers (RFC 8200, section 4; RFC 4302).
bool is_extension(std::uint32_t protocol);

/// Takes off one extension header, of which `walk.layer.type` says the kind.
/// DecodeError::fragment: as open_ip.
DecodeError open_extension(DecodeState& walk);

}  // namespace wirelap
