// wire: IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers.
//
// In: bytes from the IP header on. Out: the addresses, and the payload with its
// protocol and its length on the wire. That length comes from the IP header, so
// it excludes link-layer padding and includes bytes that a snaplen removed.
// Checksums are not verified: checksum offload leaves them unset in captures
// made at the sender.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/decode_error.h"

namespace wirelap {

struct DecodeState;

/// An IP address. An IPv4 address is stored IPv4-mapped (::ffff:a.b.c.d; RFC 4291, section 2.5.5.2).
struct Address {
  std::uint64_t high = 0;  ///< bytes 0 to 7, the first the most significant
  std::uint64_t low = 0;   ///< bytes 8 to 15

  friend bool operator==(const Address&, const Address&) = default;
  friend auto operator<=>(const Address&, const Address&) = default;
};

/// `Address::low` of an IPv4-mapped address, without the IPv4 address in its lower 32 bits.
inline constexpr std::uint64_t kIpv4Mapped = 0xffff'0000'0000;

/// The fields of an IP header that every segment needs.
struct IpHeader {
  std::uint8_t
      addresses[32];     ///< in network order: the source's 4 or 16 bytes, then the destination's; the rest is not set
  std::uint16_t id = 0;  ///< IPv4 Identification; 0 for IPv6
  std::uint8_t version = 0;  ///< 4 or 6

  Address source() const { return address(0); }
  Address destination() const { return address(1); }

 private:
  Address address(int place) const {
    if (version == 6) return {load_be64(&addresses[place * 16]), load_be64(&addresses[place * 16 + 8])};
    return {0, kIpv4Mapped | load_be32(&addresses[place * 4])};
  }
};

/// The payload of an IP packet.
struct Payload {
  Bytes bytes;               ///< the captured part
  std::uint32_t length = 0;  ///< bytes on the wire
};

inline constexpr std::uint8_t kProtocolTcp = 6, kProtocolUdp = 17;
inline constexpr std::uint32_t kIpv4HeaderBytes = 20;

/// Decodes an IP header into `state.ip`. Where its length field is 0, as segmentation
/// offload and jumbograms leave it, the length that the capture recorded is used.
/// On DecodeError::fragment `state.layer` is the fragment's payload and
/// `state.fragment` its header.
DecodeError decode_ip(DecodeState& state);

/// Whether an IP protocol number is that of an IPv6 extension header (RFC 8200, section 4; RFC 4302).
bool is_extension(std::uint32_t protocol);

/// Decodes one extension header, of the kind `state.layer.type`.
/// DecodeError::fragment: as decode_ip.
DecodeError decode_extension(DecodeState& state);

}  // namespace wirelap
