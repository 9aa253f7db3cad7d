// capture: the pcapng file format (draft-ietf-opsawg-pcapng).
//
// In: the blocks of a capture in order, each complete. Out: the record in a block,
// where it contains a packet. The decoder keeps the byte order and the interfaces
// of the current section. Blocks of names, statistics and secrets, custom and
// unknown blocks are skipped. The reader checks that a block is complete.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "capture/packet_record.h"

namespace wirelap::pcapng {

/// Bytes of an empty block: type, length and the length again (section 3.1).
inline constexpr std::uint32_t kMinBlockBytes = 12;
/// A block with a greater length is reported as damaged.
inline constexpr std::uint32_t kMaxBlockBytes = 16u << 20;
/// A section with more interfaces is reported as damaged.
inline constexpr std::size_t kMaxInterfaces = 65536;
/// Earlier times than 1970 are changed to 1970, and later times than this one (in 2115) to this
/// one. It is half of Nanos' range, so that the sum of two times does not overflow.
inline constexpr Nanos kLatestTime = 4'600'000'000 * kNanosPerSecond;

/// Times of a clock coarser than microseconds are printed with microseconds: durations that wirelap
/// computes can be finer than the clock's ticks, and printed phases must add up to their printed total.
inline constexpr int kMinDecimals = 6;

/// Converts an interface's timestamps to times (if_tsresol, if_tsoffset; section 4.2).
class Clock {
 public:
  /// `resolution` is the value of if_tsresol: the unit is 10^-resolution seconds or, where the
  /// highest bit is set, 2^-(the other bits). `offset_s` seconds are added to every time.
  explicit Clock(std::uint8_t resolution = 6, std::int64_t offset_s = 0);

  /// The time of a timestamp, rounded down to nanoseconds, between 0 and kLatestTime.
  Nanos time_of(std::uint64_t units) const;

  /// Decimals that a time in seconds needs: 6 to 9; 9 for powers of two.
  int decimals() const { return decimals_; }

 private:
  bool is_multiple_of_nanos() const { return divide_ == 1 && shift_ == 0 && offset_s_ == 0; }

  /// A time before `offset_s_` is added; `nanos` is less than a second.
  struct Split {
    std::uint64_t seconds;
    std::uint64_t nanos;
  };
  Split split(std::uint64_t units) const;

  // Nanoseconds = units * multiply_ / divide_ / 2^shift_.
  std::uint64_t multiply_ = 1;
  std::uint64_t divide_ = 1;
  int shift_ = 0;
  std::int64_t offset_s_ = 0;
  int decimals_ = kMinDecimals;
};

/// An Interface Description Block (section 4.2).
struct Interface {
  std::uint32_t link_type = 0;
  std::uint32_t snap_length = 0;  ///< 0: no limit
  std::uint32_t fcs_bytes = 0;    ///< of the frame check sequence at the end of each packet; 0: none, or not recorded
  Clock clock;
};

/// The first two fields of a block.
struct BlockHead {
  std::uint32_t type = 0;
  std::uint32_t length = 0;  ///< Block Total Length: bytes of the whole block
};

/// Decodes the blocks of one capture, in order.
class Decoder {
 public:
  /// What a block contains.
  enum class Content {
    packet,    ///< a packet: the record is set
    event,     ///< no packet, but a block that Wireshark counts when it numbers packets
    other,     ///< nothing to report
    malformed  ///< an error; `problem()` explains it, and the capture cannot be read further
  };

  /// Decodes type and length from the first kMinBlockBytes bytes of the next block. Returns false
  /// where these are malformed; `problem()` then explains it.
  bool decode_head(const std::uint8_t* at, BlockHead& head);

  /// Decodes a whole block of `head.length` bytes, after decode_head has decoded its head. For a
  /// packet, sets all members of `record` but its number; the record's bytes point into `block`.
  Content decode_block(const BlockHead& head, Bytes block, PacketRecord& record);

  /// The error in one line of text: what was expected, and what the block contains.
  const std::string& problem() const { return problem_; }

  /// Decimals of timestamps: the most (6 to 9) that any interface so far needs.
  int decimals() const { return decimals_; }

 private:
  /// The fixed fields of a packet block.
  struct PacketHead {
    std::uint32_t interface = 0;
    std::uint64_t units = 0;
    std::uint32_t captured = 0;
    std::uint32_t length = 0;
  };

  // The functions below that return bool return false, with problem_ set, where the block is malformed.
  [[gnu::cold]] bool fail(std::string problem);
  [[gnu::cold]] bool fail_length(std::uint32_t length);
  bool has_fixed_part(Bytes body, std::size_t needed, const char* block_name);
  [[gnu::cold]] bool fail_interface(std::uint32_t interface);
  [[gnu::cold]] bool fail_captured(std::uint32_t captured, std::size_t room);
  bool is_known(std::uint32_t interface) { return interface < interfaces_.size() || fail_interface(interface); }
  bool fits(std::uint32_t captured, std::size_t room) { return captured <= room || fail_captured(captured, room); }
  [[gnu::cold]] bool decode_section(Bytes body);
  [[gnu::cold]] bool decode_interface(Bytes body);
  [[gnu::cold]] bool decode_interface_options(Bytes options, Interface& interface);
  bool has_size(Bytes value, std::size_t bytes, const char* option);
  bool decode_enhanced_packet(Bytes body, PacketRecord& record);
  bool decode_obsolete_packet(Bytes body, PacketRecord& record);
  bool decode_simple_packet(Bytes body, PacketRecord& record);
  bool decode_packet(const PacketHead& head, Bytes rest, PacketRecord& record);
  bool decode_packet_options(Bytes options, std::uint32_t& fcs_bytes);
  template <class Process>
  bool for_each_option(Bytes options, Process process);

  std::uint16_t load16(const std::uint8_t* at) const;
  std::uint32_t load32(const std::uint8_t* at) const;
  std::uint64_t load64(const std::uint8_t* at) const;

  bool swapped_ = false;  // the section's byte order is not this machine's
  int decimals_ = kMinDecimals;
  Nanos last_time_ = 0;
  std::vector<Interface> interfaces_;  // of the section
  std::string problem_;
};

}  // namespace wirelap::pcapng
