#include "capture/pcapng.h"

#include <algorithm>
#include <iterator>

#include "base/wide.h"

namespace wirelap::pcapng {
namespace {

// Block types (section 11.1).
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kObsoletePacket = 2;
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kSystemdJournalExport = 9;
constexpr std::uint32_t kCustom = 0xbad;
constexpr std::uint32_t kCustomNotCopied = 0x4000'0bad;
constexpr std::uint32_t kSysdigEvents[] = {0x204, 0x208, 0x216, 0x217, 0x221, 0x222};

constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;

// Options (sections 3.5, 4.2, 4.3).
constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kPacketFlags = 2;
constexpr std::uint16_t kTimestampResolution = 9;
constexpr std::uint16_t kFcsLength = 13;
constexpr std::uint16_t kTimestampOffset = 14;

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

std::uint64_t power_of_ten(int exponent) {
  std::uint64_t value = 1;
  for (int i = 0; i < exponent; ++i) value *= 10;
  return value;
}

/// if_fcslen counts bits; but the draft's own example of it is "4", Ethernet's in bytes.
std::uint32_t fcs_bytes_of(std::uint8_t fcs_length) { return fcs_length < 8 ? fcs_length : fcs_length / 8u; }

/// Blocks without a packet that Wireshark numbers among the packets.
bool is_event(std::uint32_t type) {
  return type == kSystemdJournalExport || type == kCustom || type == kCustomNotCopied ||
         std::find(std::begin(kSysdigEvents), std::end(kSysdigEvents), type) != std::end(kSysdigEvents);
}

std::string text_of(std::uint64_t number) { return std::to_string(number); }

}  // namespace

Clock::Clock(std::uint8_t resolution, std::int64_t offset_s) : offset_s_(offset_s) {
  const int exponent = resolution & 0x7f;
  if ((resolution & 0x80) != 0) {
    multiply_ = kNanosPerSecond;
    shift_ = exponent;
    decimals_ = 9;
    return;
  }
  decimals_ = std::clamp(exponent, kLeastDecimals, 9);
  if (exponent <= 9) {
    multiply_ = power_of_ten(9 - exponent);
  } else if (exponent - 9 <= 19) {
    divide_ = power_of_ten(exponent - 9);
  } else {
    multiply_ = 0;  // 2^64 units are less than a nanosecond
  }
}

Nanos Clock::time_of(std::uint64_t units) const {
  std::uint64_t simple = 0;
  if (is_simple() && !__builtin_mul_overflow(units, multiply_, &simple) &&
      simple <= static_cast<std::uint64_t>(kLatestTime)) {
    return static_cast<Nanos>(simple);
  }
  constexpr auto kLatestSecond = static_cast<std::uint64_t>(kLatestTime / kNanosPerSecond);
  auto [seconds, nanos] = split(units);
  if (offset_s_ < 0) {
    const std::uint64_t before = 0 - static_cast<std::uint64_t>(offset_s_);
    if (seconds < before) return 0;
    seconds -= before;
  } else if (__builtin_add_overflow(seconds, static_cast<std::uint64_t>(offset_s_), &seconds)) {
    return kLatestTime;
  }
  if (seconds >= kLatestSecond) return kLatestTime;
  return static_cast<Nanos>(seconds) * kNanosPerSecond + static_cast<Nanos>(nanos);
}

Clock::Split Clock::split(std::uint64_t units) const {
  if (shift_ != 0) {
    const std::uint64_t seconds = shift_ < 64 ? units >> shift_ : 0;
    // The rest in units of 2^-64 s: times a second's nanoseconds they come out at the top.
    const std::uint64_t rest = shift_ < 64 ? units << (64 - shift_) : units;
    const std::uint64_t nanos = multiply_high(rest, kNanosPerSecond);
    return {seconds, shift_ < 64 ? nanos : nanos >> (shift_ - 64)};
  }
  if (multiply_ == 0) return {0, 0};
  const std::uint64_t second = kNanosPerSecond / multiply_;  // in units, or in what they are divided to
  const std::uint64_t parts = units / divide_;
  return {parts / second, parts % second * multiply_};
}

std::uint16_t Decoder::load16(const std::uint8_t* at) const {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}

std::uint32_t Decoder::load32(const std::uint8_t* at) const {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap32(value) : value;
}

std::uint64_t Decoder::load64(const std::uint8_t* at) const {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap64(value) : value;
}

bool Decoder::fail(std::string problem) {
  problem_ = std::move(problem);
  return false;
}

// Section 4.1: a section header tells its own byte order, before its length is read.
bool Decoder::begin(const std::uint8_t* at, BlockHead& head) {
  head.type = load32(at);
  if (head.type == kSectionHeader) {  // the same in either order
    if (load32(at + 8) == __builtin_bswap32(kByteOrderMagic)) swapped_ = !swapped_;
    if (load32(at + 8) != kByteOrderMagic) return fail("the section header has no byte-order magic");
  }
  head.length = load32(at + 4);
  const bool possible = head.length <= kMaxBlockBytes && head.length >= kMinBlockBytes && head.length % 4 == 0;
  return possible || fail_length(head.length);
}

bool Decoder::fail_length(std::uint32_t length) {
  const std::string says = "the block says that it holds " + text_of(length) + " bytes, ";
  if (length > kMaxBlockBytes) return fail(says + "the most is " + text_of(kMaxBlockBytes));
  if (length < kMinBlockBytes) return fail(says + "the least is " + text_of(kMinBlockBytes));
  return fail(says + "no multiple of 4");
}

Decoder::Found Decoder::take(const BlockHead& head, Bytes block, PacketRecord& record) {
  const std::uint32_t again = load32(&block[block.size() - 4]);
  if (again != head.length) {
    fail("the block says at its start that it holds " + text_of(head.length) + " bytes, at its end " + text_of(again));
    return Found::damage;
  }
  const Bytes body = block.subspan(8, block.size() - kMinBlockBytes);
  switch (head.type) {
    case kSectionHeader: return take_section(body) ? Found::other : Found::damage;
    case kInterfaceDescription: return take_interface(body) ? Found::other : Found::damage;
    case kEnhancedPacket: return take_enhanced_packet(body, record) ? Found::packet : Found::damage;
    case kSimplePacket: return take_simple_packet(body, record) ? Found::packet : Found::damage;
    case kObsoletePacket: return take_obsolete_packet(body, record) ? Found::packet : Found::damage;
    default: return is_event(head.type) ? Found::event : Found::other;
  }
}

bool Decoder::has_room(Bytes body, std::size_t needed, const char* block_name) {
  if (body.size() >= needed) return true;
  return fail(std::string(block_name) + " needs " + text_of(needed + kMinBlockBytes) +
              " bytes, it says that it holds " + text_of(body.size() + kMinBlockBytes));
}

bool Decoder::fail_interface(std::uint32_t interface) {
  return fail("the packet is of interface " + text_of(interface) + ", the section has described " +
              text_of(interfaces_.size()) + " (numbered from 0)");
}

bool Decoder::fail_captured(std::uint32_t captured, std::size_t room) {
  return fail("the packet says that it holds " + text_of(captured) + " bytes, its block has room for " + text_of(room));
}

/// Calls `take(code, value)` for each option (section 3.5); false where one runs
/// past the end, or where `take` returns false.
template <class Take>
bool Decoder::each_option(Bytes options, Take take) {
  while (options.size() >= 4) {
    const std::uint16_t code = load16(options.data());
    const std::uint16_t length = load16(&options[2]);
    if (code == kEndOfOptions) return true;
    const std::size_t room = options.size() - 4;
    if (length > room) {
      return fail("option " + text_of(code) + " says that it holds " + text_of(length) + " bytes, " + text_of(room) +
                  " are left in its block");
    }
    if (!take(code, options.subspan(4, length))) return false;
    options = options.subspan(4 + padded(length));  // what is left is a multiple of 4
  }
  return true;
}

// Section 4.1.
bool Decoder::take_section(Bytes body) {
  if (!has_room(body, 16, "a section header")) return false;
  const std::uint16_t major = load16(&body[4]);
  const std::uint16_t minor = load16(&body[6]);
  if (major != 1) {
    return fail("the section is of version " + text_of(major) + "." + text_of(minor) + ", wirelap reads 1.0");
  }
  interfaces_.clear();
  return true;
}

// Section 4.2.
bool Decoder::take_interface(Bytes body) {
  if (!has_room(body, 8, "an interface description")) return false;
  if (interfaces_.size() == kMaxInterfaces) {
    return fail("the section describes more than " + text_of(kMaxInterfaces) + " interfaces");
  }
  std::uint8_t resolution = 6;
  std::int64_t offset_s = 0;
  Interface interface;
  interface.link_type = load16(body.data());
  interface.snap_length = load32(&body[4]);
  const bool whole = each_option(body.subspan(8), [&](std::uint16_t code, Bytes value) {
    const auto holds = [&](std::size_t bytes, const char* name) {
      if (value.size() == bytes) return true;
      return fail(std::string(name) + " has " + text_of(bytes) + (bytes == 1 ? " byte" : " bytes") + ", here " +
                  text_of(value.size()));
    };
    switch (code) {
      case kTimestampResolution:
        if (!holds(1, "if_tsresol")) return false;
        resolution = value[0];
        return true;
      case kTimestampOffset:
        if (!holds(8, "if_tsoffset")) return false;
        offset_s = static_cast<std::int64_t>(load64(value.data()));
        return true;
      case kFcsLength:
        if (!holds(1, "if_fcslen")) return false;
        interface.fcs_bytes = fcs_bytes_of(value[0]);
        return true;
      default: return true;
    }
  });
  if (!whole) return false;
  interface.clock = Clock(resolution, offset_s);
  decimals_ = std::max(decimals_, interface.clock.decimals());
  interfaces_.push_back(interface);
  return true;
}

// Section 4.3.
bool Decoder::take_enhanced_packet(Bytes body, PacketRecord& record) {
  if (!has_room(body, 20, "an enhanced packet block")) return false;
  const std::uint64_t units = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  return take_packet({load32(body.data()), units, load32(&body[12]), load32(&body[16])}, body.subspan(20), record);
}

// Appendix A: the interface is of 16 bits, followed by a count of drops.
bool Decoder::take_obsolete_packet(Bytes body, PacketRecord& record) {
  if (!has_room(body, 20, "a packet block")) return false;
  const std::uint64_t units = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  return take_packet({load16(body.data()), units, load32(&body[12]), load32(&body[16])}, body.subspan(20), record);
}

bool Decoder::take_packet(const PacketHead& head, Bytes rest, PacketRecord& record) {
  if (!is_known(head.interface) || !fits(head.captured, rest.size())) return false;
  const Interface& interface = interfaces_[head.interface];
  record.time = last_time_ = interface.clock.time_of(head.units);
  record.bytes = rest.first(head.captured);
  record.length = head.length;
  record.link_type = interface.link_type;
  std::uint32_t fcs_bytes = interface.fcs_bytes;
  const Bytes options = rest.subspan(padded(head.captured));
  if (!options.empty() && !take_packet_options(options, fcs_bytes)) return false;
  if (fcs_bytes != 0) trim_fcs(record, fcs_bytes);
  return true;
}

// Section 4.3.1: of a packet's flags, bits 5 to 8 are its FCS's length in bytes; 0 where not told.
bool Decoder::take_packet_options(Bytes options, std::uint32_t& fcs_bytes) {
  return each_option(options, [&](std::uint16_t code, Bytes value) {
    if (code != kPacketFlags) return true;
    if (value.size() != 4) return fail("the packet's flags have 4 bytes, here " + text_of(value.size()));
    const std::uint32_t told = load32(value.data()) >> 5 & 15;
    if (told != 0) fcs_bytes = told;
    return true;
  });
}

// Section 4.4: of the first interface, without a time and without the captured length.
bool Decoder::take_simple_packet(Bytes body, PacketRecord& record) {
  if (!has_room(body, 4, "a simple packet block") || !is_known(0)) return false;
  const Interface& interface = interfaces_[0];
  record.length = load32(body.data());
  const std::uint32_t limit = interface.snap_length == 0 ? record.length : interface.snap_length;
  const std::uint32_t captured = std::min(record.length, limit);
  if (!fits(captured, body.size() - 4)) return false;
  record.time = last_time_;
  record.bytes = body.subspan(4, captured);
  record.link_type = interface.link_type;
  if (interface.fcs_bytes != 0) trim_fcs(record, interface.fcs_bytes);
  return true;
}

}  // namespace wirelap::pcapng
