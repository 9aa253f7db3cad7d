// capture: the pcapng file format (draft-ietf-opsawg-pcapng): whole blocks to records.
//
// In: one block after the other, whole. Out: the record in it, where it holds a
// packet. Sections of either byte order and their interfaces are kept track of;
// names, statistics, secrets, custom and unknown blocks are passed over. Where
// blocks come from, and what is cut, is the reader's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "capture/packet_record.h"

namespace wirelap::pcapng {

/// Type, length and the length again: what every block has (section 3.1).
inline constexpr std::uint32_t kMinBlockBytes = 12;
/// A longer block is taken for damage.
inline constexpr std::uint32_t kMaxBlockBytes = 16u << 20;
/// More interfaces in one section are taken for damage.
inline constexpr std::size_t kMaxInterfaces = 65536;
/// Times before 1970 and after this (in 2115, half of what Nanos can hold) are
/// taken for the nearest in between, so that two of them can be added.
inline constexpr Nanos kLatestTime = 4'600'000'000 * kNanosPerSecond;

/// A coarser clock is printed like one of microseconds: thresholds in between are
/// finer than its ticks, and sums are to hold to the last digit.
inline constexpr int kLeastDecimals = 6;

/// What the units of an interface's timestamps are (if_tsresol, if_tsoffset; section 4.2).
class Clock {
 public:
  /// `resolution`: the value of if_tsresol: a negative power of ten, or of two
  /// where the highest bit is set. `offset_s` is added to every time.
  explicit Clock(std::uint8_t resolution = 6, std::int64_t offset_s = 0);

  /// The point in time of a timestamp, cut to whole nanoseconds.
  Nanos time_of(std::uint64_t units) const;

  /// Decimals of its seconds: 6 to 9; 9 for powers of two.
  int decimals() const { return decimals_; }

 private:
  bool is_simple() const { return divide_ == 1 && shift_ == 0 && offset_s_ == 0; }

  /// Time since an interface's zero; nanos are below a second.
  struct Split {
    std::uint64_t seconds;
    std::uint64_t nanos;
  };
  Split split(std::uint64_t units) const;

  std::uint64_t multiply_ = 1;  // units to nanoseconds: times this,
  std::uint64_t divide_ = 1;    // by this,
  int shift_ = 0;               // and by two to the power of this
  std::int64_t offset_s_ = 0;
  int decimals_ = kLeastDecimals;
};

/// An Interface Description Block (section 4.2).
struct Interface {
  std::uint32_t link_type = 0;
  std::uint32_t snap_length = 0;  ///< 0: none
  std::uint32_t fcs_bytes = 0;    ///< of a frame check sequence at the end of each packet; 0 where not told
  Clock clock;
};

/// The first fields of a block.
struct BlockHead {
  std::uint32_t type = 0;
  std::uint32_t length = 0;  ///< of the whole block, as its first length field has it
};

/// Takes the blocks of one capture in turn.
class Decoder {
 public:
  enum class Found {
    packet,  ///< the record is filled
    event,   ///< no packet, but Wireshark numbers it among them
    other,   ///< nothing that is reported
    damage   ///< `problem()` says what; the capture cannot be read on
  };

  /// Loads type and length from kMinBlockBytes bytes where the next block starts.
  /// False where they cannot be true; `problem()` then says why.
  bool begin(const std::uint8_t* at, BlockHead& head);

  /// Takes a block, `head.length` bytes that `begin` was called on. Of a packet,
  /// fills all of `record` but its number; its bytes are within `block`.
  Found take(const BlockHead& head, Bytes block, PacketRecord& record);

  /// What was needed and what was there, one line.
  const std::string& problem() const { return problem_; }

  /// Decimals of timestamps: 6 to 9, as the finest interface so far needs, in any section.
  int decimals() const { return decimals_; }

 private:
  /// A packet block's fixed part.
  struct PacketHead {
    std::uint32_t interface = 0;
    std::uint64_t units = 0;
    std::uint32_t captured = 0;
    std::uint32_t length = 0;
  };

  [[gnu::cold]] bool fail(std::string problem);
  [[gnu::cold]] bool fail_length(std::uint32_t length);
  bool has_room(Bytes body, std::size_t needed, const char* block_name);
  [[gnu::cold]] bool fail_interface(std::uint32_t interface);
  [[gnu::cold]] bool fail_captured(std::uint32_t captured, std::size_t room);
  bool is_known(std::uint32_t interface) { return interface < interfaces_.size() || fail_interface(interface); }
  bool fits(std::uint32_t captured, std::size_t room) { return captured <= room || fail_captured(captured, room); }
  [[gnu::cold]] bool take_section(Bytes body);
  [[gnu::cold]] bool take_interface(Bytes body);
  bool take_enhanced_packet(Bytes body, PacketRecord& record);
  bool take_obsolete_packet(Bytes body, PacketRecord& record);
  bool take_simple_packet(Bytes body, PacketRecord& record);
  bool take_packet(const PacketHead& head, Bytes rest, PacketRecord& record);
  bool take_packet_options(Bytes options, std::uint32_t& fcs_bytes);
  template <class Take>
  bool each_option(Bytes options, Take take);

  std::uint16_t load16(const std::uint8_t* at) const;
  std::uint32_t load32(const std::uint8_t* at) const;
  std::uint64_t load64(const std::uint8_t* at) const;

  bool swapped_ = false;  // this section's byte order is not this machine's
  int decimals_ = kLeastDecimals;
  Nanos last_time_ = 0;
  std::vector<Interface> interfaces_;  // of this section
  std::string problem_;
};

}  // namespace wirelap::pcapng
