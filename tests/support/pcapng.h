// Builds pcapng captures in memory (draft-ietf-opsawg-pcapng), block by block, so
// that a test can change any of them.
#pragma once

#include "packets.h"

namespace wirelap::test {

class PcapngWriter {
 public:
  /// Starts with a section in this byte order.
  explicit PcapngWriter(bool big_endian = false) { section(big_endian); }

  /// Adds a section header block (section 4.1).
  void section(bool big_endian, unsigned major = 1, unsigned minor = 0) {
    big_endian_ = big_endian;
    Buffer body;
    put_32(body, 0x1a2b3c4d);
    put_16(body, major);
    put_16(body, minor);
    put_64(body, ~std::uint64_t{0});
    block(0x0a0d0d0a, body);
  }

  /// Adds an interface description block (section 4.2).
  void interface(std::uint32_t link_type = kLinkEthernet, Bytes options = {}, std::uint32_t snap_length = 0) {
    Buffer body;
    put_16(body, link_type);
    put_16(body, 0);
    put_32(body, snap_length);
    append(body, options);
    block(1, body);
  }

  /// Adds an enhanced packet block (section 4.3). `wire_length` -1: the frame's length.
  void enhanced(std::uint32_t interface, std::uint64_t units, Bytes frame, Bytes options = {}, int wire_length = -1) {
    Buffer body;
    put_32(body, interface);
    packet(6, body, units, frame, options, wire_length);
  }

  /// Adds a packet block, which is obsolete (appendix A).
  void obsolete(unsigned interface, unsigned drops, std::uint64_t units, Bytes frame, Bytes options = {}) {
    Buffer body;
    put_16(body, interface);
    put_16(body, drops);
    packet(2, body, units, frame, options, -1);
  }

  /// Adds a simple packet block (section 4.4).
  void simple(Bytes captured, std::uint32_t wire_length) {
    Buffer body;
    put_32(body, wire_length);
    append(body, captured);
    block(3, padded(body));
  }

  /// Adds a block of any type (section 3.1). The size of `body` is a multiple of 4.
  void block(std::uint32_t type, Bytes body) {
    const auto length = static_cast<std::uint32_t>(body.size() + 12);
    starts_.push_back(bytes_.size());
    put_32(bytes_, type);
    put_32(bytes_, length);
    append(bytes_, body);
    put_32(bytes_, length);
  }

  /// An option with its padding (section 3.5).
  Buffer option(unsigned code, Bytes value) const {
    Buffer option;
    put_16(option, code);
    put_16(option, static_cast<unsigned>(value.size()));
    append(option, value);
    return padded(option);
  }
  Buffer resolution(std::uint8_t value) const { return option(9, Buffer{value}); }
  Buffer offset(std::int64_t seconds) const {
    Buffer value;
    put_64(value, static_cast<std::uint64_t>(seconds));
    return option(14, value);
  }
  Buffer flags(std::uint32_t bits) const {
    Buffer value;
    put_32(value, bits);
    return option(2, value);
  }
  Buffer end_of_options() const { return option(0, {}); }

  static Buffer padded(Buffer bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
  }

  Buffer& bytes() { return bytes_; }
  const Buffer& bytes() const { return bytes_; }
  /// Offsets of the blocks.
  const std::vector<std::size_t>& starts() const { return starts_; }

  // Integers in the section's byte order.
  void put_16(Buffer& to, std::uint32_t value) const {
    put16(to, big_endian_ ? value & 0xffff : (value & 0xff) << 8 | (value >> 8 & 0xff));
  }
  void put_32(Buffer& to, std::uint32_t value) const { put32(to, big_endian_ ? value : __builtin_bswap32(value)); }
  void put_64(Buffer& to, std::uint64_t value) const {
    const auto high = static_cast<std::uint32_t>(value >> 32), low = static_cast<std::uint32_t>(value);
    put_32(to, big_endian_ ? high : low);
    put_32(to, big_endian_ ? low : high);
  }

 private:
  void packet(std::uint32_t type, Buffer& body, std::uint64_t units, Bytes frame, Bytes options, int wire_length) {
    put_32(body, static_cast<std::uint32_t>(units >> 32));
    put_32(body, static_cast<std::uint32_t>(units));
    put_32(body, static_cast<std::uint32_t>(frame.size()));
    put_32(body, wire_length < 0 ? static_cast<std::uint32_t>(frame.size()) : static_cast<std::uint32_t>(wire_length));
    append(body, frame);
    body = padded(body);
    append(body, options);
    block(type, body);
  }

  bool big_endian_ = false;
  Buffer bytes_;
  std::vector<std::size_t> starts_;
};

}  // namespace wirelap::test
