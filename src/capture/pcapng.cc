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

/// The unit of if_fcslen is bits, but the draft's example value is 4, which is Ethernet's length in
/// bytes: values below 8 are bytes.
std::uint32_t fcs_bytes_of(std::uint8_t fcs_length) { return fcs_length < 8 ? fcs_length : fcs_length / 8u; }

/// Whether Wireshark counts blocks of this type, which contain no packet, when it numbers packets.
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
  decimals_ = std::clamp(exponent, kMinDecimals, 9);
  if (exponent <= 9) {
    multiply_ = power_of_ten(9 - exponent);
  } else if (exponent - 9 <= 19) {
    divide_ = power_of_ten(exponent - 9);
  } else {
    multiply_ = 0;  // even 2^64 units are less than a nanosecond
  }
}

Nanos Clock::time_of(std::uint64_t units) const {
  std::uint64_t simple = 0;
  if (is_multiple_of_nanos() && !__builtin_mul_overflow(units, multiply_, &simple) &&
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
    // The fraction in units of 2^-64 s: its product with 10^9 has the nanoseconds in the upper 64 bits.
    const std::uint64_t fraction = shift_ < 64 ? units << (64 - shift_) : units;
    const std::uint64_t nanos = multiply_high(fraction, kNanosPerSecond);
    return {seconds, shift_ < 64 ? nanos : nanos >> (shift_ - 64)};
  }
  if (multiply_ == 0) return {0, 0};
  const std::uint64_t ticks = units / divide_;
  const std::uint64_t ticks_per_second = kNanosPerSecond / multiply_;
  return {ticks / ticks_per_second, ticks % ticks_per_second * multiply_};
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

// Section 4.1: a section header contains the section's byte order, which its own length has too.
bool Decoder::decode_head(const std::uint8_t* at, BlockHead& head) {
  head.type = load32(at);
  if (head.type == kSectionHeader) {  // a palindrome: the same in either byte order
    if (load32(at + 8) == __builtin_bswap32(kByteOrderMagic)) swapped_ = !swapped_;
    if (load32(at + 8) != kByteOrderMagic) return fail("the section header has no byte-order magic");
  }
  head.length = load32(at + 4);
  const bool possible = head.length <= kMaxBlockBytes && head.length >= kMinBlockBytes && head.length % 4 == 0;
  return possible || fail_length(head.length);
}

bool Decoder::fail_length(std::uint32_t length) {
  const std::string fact = "the block's length is " + text_of(length) + " bytes, ";
  if (length > kMaxBlockBytes) return fail(fact + "the maximum is " + text_of(kMaxBlockBytes));
  if (length < kMinBlockBytes) return fail(fact + "the minimum is " + text_of(kMinBlockBytes));
  return fail(fact + "which is not a multiple of 4");
}

Decoder::Content Decoder::decode_block(const BlockHead& head, Bytes block, PacketRecord& record) {
  const std::uint32_t repeated_length = load32(&block[block.size() - 4]);
  if (repeated_length != head.length) {
    fail("the block's length is " + text_of(head.length) + " bytes at its start, " + text_of(repeated_length) +
         " at its end");
    return Content::malformed;
  }
  const Bytes body = block.subspan(8, block.size() - kMinBlockBytes);
  switch (head.type) {
    case kSectionHeader: return decode_section(body) ? Content::other : Content::malformed;
    case kInterfaceDescription: return decode_interface(body) ? Content::other : Content::malformed;
    case kEnhancedPacket: return decode_enhanced_packet(body, record) ? Content::packet : Content::malformed;
    case kSimplePacket: return decode_simple_packet(body, record) ? Content::packet : Content::malformed;
    case kObsoletePacket: return decode_obsolete_packet(body, record) ? Content::packet : Content::malformed;
    default: return is_event(head.type) ? Content::event : Content::other;
  }
}

bool Decoder::has_fixed_part(Bytes body, std::size_t needed, const char* block_name) {
  if (body.size() >= needed) return true;
  return fail(std::string(block_name) + " has at least " + text_of(needed + kMinBlockBytes) + " bytes, this one has " +
              text_of(body.size() + kMinBlockBytes));
}

bool Decoder::has_size(Bytes value, std::size_t bytes, const char* option) {
  if (value.size() == bytes) return true;
  return fail(std::string(option) + " must have " + text_of(bytes) + (bytes == 1 ? " byte" : " bytes") + ", it has " +
              text_of(value.size()));
}

bool Decoder::fail_interface(std::uint32_t interface) {
  return fail("the packet's interface is " + text_of(interface) + ", the section describes " +
              text_of(interfaces_.size()) + " (numbered from 0)");
}

bool Decoder::fail_captured(std::uint32_t captured, std::size_t room) {
  return fail("the packet's captured length is " + text_of(captured) + " bytes, its block has room for " +
              text_of(room));
}

/// Calls `process(code, value)` for each option (section 3.5). Returns false where an option is longer
/// than the rest of `options`, or where `process` returns false.
template <class Process>
bool Decoder::for_each_option(Bytes options, Process process) {
  while (options.size() >= 4) {
    const std::uint16_t code = load16(options.data());
    const std::uint16_t length = load16(&options[2]);
    if (code == kEndOfOptions) return true;
    const std::size_t room = options.size() - 4;
    if (length > room) {
      return fail("the length of option " + text_of(code) + " is " + text_of(length) + " bytes, " + text_of(room) +
                  " are left in its block");
    }
    if (!process(code, options.subspan(4, length))) return false;
    options = options.subspan(4 + padded(length));  // fits: the rest's size is a multiple of 4
  }
  return true;
}

// Section 4.1.
bool Decoder::decode_section(Bytes body) {
  if (!has_fixed_part(body, 16, "a section header")) return false;
  const std::uint16_t major = load16(&body[4]);
  const std::uint16_t minor = load16(&body[6]);
  if (major != 1) {
    return fail("the section's version is " + text_of(major) + "." + text_of(minor) + ", wirelap reads 1.0");
  }
  interfaces_.clear();
  return true;
}

// Section 4.2.
bool Decoder::decode_interface(Bytes body) {
  if (!has_fixed_part(body, 8, "an interface description")) return false;
  if (interfaces_.size() == kMaxInterfaces) {
    return fail("the section describes more than " + text_of(kMaxInterfaces) + " interfaces");
  }
  Interface interface;
  interface.link_type = load16(body.data());
  interface.snap_length = load32(&body[4]);
  if (!decode_interface_options(body.subspan(8), interface)) return false;
  decimals_ = std::max(decimals_, interface.clock.decimals());
  interfaces_.push_back(interface);
  return true;
}

bool Decoder::decode_interface_options(Bytes options, Interface& interface) {
  std::uint8_t resolution = 6;
  std::int64_t offset_s = 0;
  const bool valid = for_each_option(options, [&](std::uint16_t code, Bytes value) {
    switch (code) {
      case kTimestampResolution:
        if (!has_size(value, 1, "if_tsresol")) return false;
        resolution = value[0];
        return true;
      case kTimestampOffset:
        if (!has_size(value, 8, "if_tsoffset")) return false;
        offset_s = static_cast<std::int64_t>(load64(value.data()));
        return true;
      case kFcsLength:
        if (!has_size(value, 1, "if_fcslen")) return false;
        interface.fcs_bytes = fcs_bytes_of(value[0]);
        return true;
      default: return true;
    }
  });
  interface.clock = Clock(resolution, offset_s);
  return valid;
}

// Section 4.3.
bool Decoder::decode_enhanced_packet(Bytes body, PacketRecord& record) {
  if (!has_fixed_part(body, 20, "an enhanced packet block")) return false;
  const std::uint64_t units = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  return decode_packet({load32(body.data()), units, load32(&body[12]), load32(&body[16])}, body.subspan(20), record);
}

// Appendix A: as an enhanced packet block, but with an interface of 16 bits and a 16-bit drop count.
bool Decoder::decode_obsolete_packet(Bytes body, PacketRecord& record) {
  if (!has_fixed_part(body, 20, "a packet block")) return false;
  const std::uint64_t units = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  return decode_packet({load16(body.data()), units, load32(&body[12]), load32(&body[16])}, body.subspan(20), record);
}

bool Decoder::decode_packet(const PacketHead& head, Bytes rest, PacketRecord& record) {
  if (!is_known(head.interface) || !fits(head.captured, rest.size())) return false;
  const Interface& interface = interfaces_[head.interface];
  record.time = last_time_ = interface.clock.time_of(head.units);
  record.bytes = rest.first(head.captured);
  record.length = head.length;
  record.link_type = interface.link_type;
  std::uint32_t fcs_bytes = interface.fcs_bytes;
  const Bytes options = rest.subspan(padded(head.captured));
  if (!options.empty() && !decode_packet_options(options, fcs_bytes)) return false;
  if (fcs_bytes != 0) trim_fcs(record, fcs_bytes);
  return true;
}

// Section 4.3.1: bits 5 to 8 of a packet's flags are the length of its frame check sequence in bytes;
// 0: not recorded.
bool Decoder::decode_packet_options(Bytes options, std::uint32_t& fcs_bytes) {
  return for_each_option(options, [&](std::uint16_t code, Bytes value) {
    if (code != kPacketFlags) return true;
    if (!has_size(value, 4, "the packet's flags option")) return false;
    const std::uint32_t recorded = load32(value.data()) >> 5 & 15;
    if (recorded != 0) fcs_bytes = recorded;
    return true;
  });
}

// Section 4.4: a simple packet block belongs to the first interface and has no timestamp and no captured
// length. Its time is that of the packet before it.
bool Decoder::decode_simple_packet(Bytes body, PacketRecord& record) {
  if (!has_fixed_part(body, 4, "a simple packet block") || !is_known(0)) return false;
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
