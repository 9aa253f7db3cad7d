#include "wire/wlan.h"

#include "wire/ether.h"

namespace wirelap {
namespace {

// Bits of the Frame Control field, which is little-endian (IEEE 802.11, section 9.2.4.1).
constexpr std::uint16_t kVersion = 0x0003, kType = 0x000c, kData = 0x0008;
constexpr std::uint16_t kWithoutData = 0x0040, kWithQos = 0x0080;  // subtype bits
constexpr std::uint16_t kToDs = 0x0100, kFromDs = 0x0200, kMoreFragments = 0x0400;
constexpr std::uint16_t kProtected = 0x4000, kOrder = 0x8000;

constexpr std::uint8_t kAggregate = 0x80;  // in the first byte of the QoS Control field

/// The first frame of an aggregate: two addresses and a length (section 9.3.2.2.2), then LLC.
DecodeError decode_aggregate(DecodeState& state) { return advance(state, 14, HeaderKind::llc); }

}  // namespace

DecodeError decode_wlan(DecodeState& state) {
  state.vlan = {};
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  const std::uint16_t control = load_le16(bytes.data());
  if ((control & kVersion) != 0) return DecodeError::link_malformed;
  if ((control & kType) != kData || (control & kWithoutData) != 0) return DecodeError::wlan_no_data;
  if ((control & kProtected) != 0) return DecodeError::wlan_encrypted;
  std::size_t header_bytes = 24;
  if ((control & kToDs) != 0 && (control & kFromDs) != 0) header_bytes += 6;  // a fourth address
  const std::size_t qos_at = header_bytes;
  const bool has_qos = (control & kWithQos) != 0;
  if (has_qos) header_bytes += (control & kOrder) != 0 ? 6 : 2;  // with the HT control field
  if (bytes.size() < header_bytes) return DecodeError::link_truncated;
  const bool later_fragment = (load_le16(&bytes[22]) & 0x000f) != 0;  // the Fragment Number
  if (later_fragment || (control & kMoreFragments) != 0) return DecodeError::wlan_fragment;
  const bool aggregate = has_qos && (bytes[qos_at] & kAggregate) != 0;
  state.layer.skip(header_bytes);
  return aggregate ? decode_aggregate(state) : advance(state, 0, HeaderKind::llc);
}

DecodeError decode_radiotap(DecodeState& state) {
  constexpr std::uint32_t kTsft = 1, kFlags = 2, kMoreFields = 0x80000000;
  constexpr std::uint8_t kPadded = 0x20;  // padding to 4 bytes between the 802.11 header and its data
  Layer& layer = state.layer;
  const Bytes bytes = layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::size_t header_bytes = load_le16(&bytes[2]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  if (bytes.size() < header_bytes) return DecodeError::link_truncated;
  const Bytes header = bytes.first(header_bytes);
  const std::uint32_t present = load_le32(&header[4]);
  std::size_t at = 8;
  for (std::uint32_t word = present; (word & kMoreFields) != 0; at += 4) {
    if (header.size() < at + 4) return DecodeError::link_malformed;
    word = load_le32(&header[at]);
  }
  if ((present & kTsft) != 0) at = (at + 7) / 8 * 8 + 8;
  const bool padded = (present & kFlags) != 0 && at < header.size() && (header[at] & kPadded) != 0;
  layer.skip(header_bytes);
  layer.kind = HeaderKind::wlan;
  if (!padded || layer.bytes.size() < 2) return DecodeError::none;
  // Where the padding starts depends on the 802.11 header's length: decode that header here, then skip it.
  const DecodeError error = decode_wlan(state);
  if (error != DecodeError::none) return error;
  const std::size_t wlan_header_bytes = bytes.size() - header_bytes - layer.bytes.size();
  return advance(state, (4 - wlan_header_bytes % 4) % 4, HeaderKind::llc);
}

DecodeError decode_avs(DecodeState& state) {
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t header_bytes = load_be32(&bytes[4]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return advance(state, header_bytes, HeaderKind::wlan);
}

DecodeError decode_prism(DecodeState& state) {
  constexpr std::uint32_t kAvsMagic = 0x80211000;
  const Bytes bytes = state.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t first = load_be32(bytes.data());
  if ((first & 0xfffff000) == kAvsMagic) return decode_avs(state);
  // Prism's integers are in the byte order of the machine that captured. The first one, the message
  // code, is small: it is read in the byte order that makes it smaller.
  const bool little = load_le32(bytes.data()) < first;
  const std::uint32_t header_bytes = little ? load_le32(&bytes[4]) : load_be32(&bytes[4]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return advance(state, header_bytes, HeaderKind::wlan);
}

}  // namespace wirelap
