#include "wire/wlan.h"

#include "wire/ether.h"

namespace wirelap {
namespace {

// The frame control field, as a little-endian number (IEEE 802.11, 9.2.4.1).
constexpr std::uint16_t kVersion = 0x0003, kType = 0x000c, kData = 0x0008;
constexpr std::uint16_t kWithoutData = 0x0040, kWithQos = 0x0080;  // subtype bits
constexpr std::uint16_t kToSystem = 0x0100, kFromSystem = 0x0200, kMoreFragments = 0x0400;
constexpr std::uint16_t kProtected = 0x4000, kOrder = 0x8000;

constexpr std::uint8_t kAggregate = 0x80;  // in the QoS control field's first byte

/// The first frame of an aggregate: two addresses and a length (9.3.2.2.2), then LLC.
DecodeError open_aggregate(DecodeState& walk) { return go_on(walk, 14, Kind::llc); }

}  // namespace

DecodeError open_wlan(DecodeState& walk) {
  walk.vlan = {};
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 2) return DecodeError::link_truncated;
  const std::uint16_t control = load_le16(bytes.data());
  if ((control & kVersion) != 0) return DecodeError::link_malformed;
  if ((control & kType) != kData || (control & kWithoutData) != 0) return DecodeError::wlan_no_data;
  if ((control & kProtected) != 0) return DecodeError::wlan_encrypted;
  std::size_t header_bytes = 24;
  if ((control & kToSystem) != 0 && (control & kFromSystem) != 0) header_bytes += 6;  // a fourth address
  const std::size_t qos_at = header_bytes;
  const bool has_qos = (control & kWithQos) != 0;
  if (has_qos) header_bytes += (control & kOrder) != 0 ? 6 : 2;  // with the HT control field
  if (bytes.size() < header_bytes) return DecodeError::link_truncated;
  const bool later_fragment = (load_le16(&bytes[22]) & 0x000f) != 0;
  if (later_fragment || (control & kMoreFragments) != 0) return DecodeError::wlan_fragment;
  const bool aggregate = has_qos && (bytes[qos_at] & kAggregate) != 0;
  walk.layer.skip(header_bytes);
  return aggregate ? open_aggregate(walk) : go_on(walk, 0, Kind::llc);
}

DecodeError open_radiotap(DecodeState& walk) {
  constexpr std::uint32_t kTimer = 1, kFlags = 2, kMoreFields = 0x80000000;
  constexpr std::uint8_t kFiller = 0x20;  // between header and data, up to 4 bytes
  Layer& layer = walk.layer;
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
  if ((present & kTimer) != 0) at = (at + 7) / 8 * 8 + 8;
  const bool filler = (present & kFlags) != 0 && at < header.size() && (header[at] & kFiller) != 0;
  layer.skip(header_bytes);
  layer.kind = Kind::wlan;
  if (!filler || layer.bytes.size() < 2) return DecodeError::none;
  // The 802.11 header itself is read with its filler taken out of the data behind it.
  const DecodeError stop = open_wlan(walk);
  if (stop != DecodeError::none) return stop;
  const std::size_t taken = bytes.size() - header_bytes - layer.bytes.size();
  return go_on(walk, (4 - taken % 4) % 4, Kind::llc);
}

DecodeError open_avs(DecodeState& walk) {
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t header_bytes = load_be32(&bytes[4]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return go_on(walk, header_bytes, Kind::wlan);
}

DecodeError open_prism(DecodeState& walk) {
  constexpr std::uint32_t kAvsMagic = 0x80211000;
  const Bytes bytes = walk.layer.bytes;
  if (bytes.size() < 8) return DecodeError::link_truncated;
  const std::uint32_t first = load_be32(bytes.data());
  if ((first & 0xfffff000) == kAvsMagic) return open_avs(walk);
  // The numbers are in the byte order of the machine that captured.
  const bool little = load_le32(bytes.data()) < first;
  const std::uint32_t header_bytes = little ? load_le32(&bytes[4]) : load_be32(&bytes[4]);
  if (header_bytes < 8) return DecodeError::link_malformed;
  return go_on(walk, header_bytes, Kind::wlan);
}

}  // namespace wirelap
