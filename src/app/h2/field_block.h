// h2: the field blocks of one direction, each from the frames that carry it.
//
// In: HEADERS or PUSH_PROMISE and the CONTINUATIONs behind it, as they come, in
// pieces of any size, and what is missing of them. Out: a field section for
// each block, and where in the stream it stood. What the fields mean is not
// known here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/h2/hpack.h"
#include "app/h2/resync.h"
#include "base/bytes.h"
#include "flow/stream.h"

namespace wirelap::h2 {

/// Collects and decodes the field blocks of one sender, one after the other.
class BlockDecoder {
 public:
  /// A longer field block is given up: its fields are not known.
  static constexpr std::size_t kMaxBytes = 64 * 1024;

  /// Where a block stood.
  struct Place {
    FrameHeader frame;           ///< the frame that began it
    std::uint64_t begin = 0;     ///< its offset in the stream
    Arrival arrival;             ///< of its first byte
    std::uint64_t bytes = 0;     ///< of all its frames, so far
    std::uint32_t promised = 0;  ///< the stream that PUSH_PROMISE names
  };

  /// `wanted` as of HpackDecoder; what is collected is kept in `memory`. Both outlive it.
  BlockDecoder(const std::vector<std::string>& wanted, std::pmr::memory_resource* memory)
      : decoder_(wanted, memory), fragments_(memory) {}

  /// The table that blocks refer to.
  HpackDecoder& table() { return decoder_; }

  /// A block begins with `frame`, which has offset `begin` and came with `arrival`.
  void begin(const FrameHeader& frame, std::uint64_t begin, const Arrival& arrival);

  /// Bytes of its frames, headers included.
  void count(std::uint64_t bytes) { place_.bytes += bytes; }
  /// PUSH_PROMISE names this stream.
  void promise(std::uint32_t stream) { place_.promised = stream; }
  /// Its next bytes. They are used until decode() or keep().
  void add(Bytes fragment);
  /// Copies what was added: its memory goes away.
  void keep();
  /// A part of it is missing.
  void damage() { damaged_ = true; }

  /// Decodes what is there of the block, which has ended or been cut off.
  void decode(FieldSection& section);

  /// Whether a block has begun and was not decoded yet.
  bool is_open() const { return open_; }
  /// Whether of the latest block a part was missing, or malformed.
  bool is_damaged() const { return damaged_; }
  /// The latest block's.
  const Place& place() const { return place_; }

  /// About what it holds of memory.
  std::size_t held_bytes() const { return fragments_.capacity() + decoder_.held_bytes(); }

 private:
  HpackDecoder decoder_;
  Place place_;
  std::pmr::string fragments_;  // of a block in pieces, so far
  Bytes whole_;                 // of a block in one piece, while it is fed
  bool open_ = false;
  bool damaged_ = false;
};

}  // namespace wirelap::h2
