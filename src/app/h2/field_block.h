// h2: puts the field blocks of one direction together and decodes them.
//
// In: the frames that carry field blocks, which are HEADERS or PUSH_PROMISE and the
// CONTINUATION frames after it, in pieces of any size, and what was not captured
// of them. Out: a field section for each block, and where the block is in the
// stream. The meaning of the fields is not known here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/h2/frame.h"
#include "app/h2/hpack.h"
#include "base/bytes.h"
#include "flow/stream.h"

namespace wirelap::h2 {

/// A field block, apart from its content.
struct FieldBlock {
  FrameHeader frame;                  ///< of the frame that began it
  std::uint64_t begin = 0;            ///< offset of that frame in the stream
  Arrival arrival;                    ///< of the first byte
  std::uint64_t bytes = 0;            ///< of all its frames so far, with their headers
  std::uint32_t promised_stream = 0;  ///< PUSH_PROMISE: the Promised Stream ID
};

/// Collects and decodes the field blocks of one sender, one after the other.
class FieldBlockDecoder {
 public:
  /// A longer field block is incomplete: the fields past this size are not known.
  static constexpr std::size_t kMaxBytes = 64 * 1024;

  /// `wanted` as for HpackDecoder. Keeps fragments of blocks in `memory`. Both outlive the decoder.
  FieldBlockDecoder(const std::vector<std::string>& wanted, std::pmr::memory_resource* memory)
      : decoder_(wanted, memory), fragments_(memory) {}

  HpackDecoder& hpack() { return decoder_; }

  /// Begins a block with `frame`, which has offset `begin` and came with `arrival`.
  void begin(const FrameHeader& frame, std::uint64_t begin, const Arrival& arrival);

  /// Counts bytes of the block's frames, headers included.
  void count(std::uint64_t bytes) { block_.bytes += bytes; }
  void set_promised_stream(std::uint32_t stream) { block_.promised_stream = stream; }
  /// Adds the next bytes of the block. They must stay where they are until decode() or copy_borrowed().
  void add(Bytes fragment);
  /// Copies the bytes that add() only refers to.
  void copy_borrowed();
  /// Records that a part of the block was not captured.
  void set_incomplete() { is_incomplete_ = true; }

  /// Ends the block, or cuts it off. Decodes what was added.
  void decode(FieldSection& section);

  /// Whether a block has begun and is not decoded yet.
  bool is_open() const { return is_open_; }
  /// Whether a part of the latest block was not captured, was too long or was malformed.
  bool is_incomplete() const { return is_incomplete_; }
  /// The latest block.
  const FieldBlock& block() const { return block_; }

  /// Approximate memory that the decoder holds, in bytes.
  std::size_t held_bytes() const { return fragments_.capacity() + decoder_.held_bytes(); }

 private:
  HpackDecoder decoder_;
  FieldBlock block_;
  // A block that came in one piece is in `borrowed_`, any other in `fragments_`.
  std::pmr::string fragments_;
  Bytes borrowed_;
  bool is_open_ = false;
  bool is_incomplete_ = false;
};

}  // namespace wirelap::h2
