// tls: the record layer of one direction, as a resumable parser.
//
// In: the bytes of a stream in order, in pieces of any size, and sequence gaps.
// Out: records (RFC 8446, section 5.1), through an inlined handler: their type and
// length, and their fragments, encrypted or not. The parser does not know TCP, time
// or the handshake.
//
// The parser is out of sync where the beginning of the next record is not known:
// after a sequence gap that contains the end of a record, or after bytes that are
// not a record. It then tests whether each later piece begins with a record header.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "app/tls/record.h"
#include "base/bytes.h"
#include "flow/direction.h"

namespace wirelap::tls {

/// Parses the records of one direction. It calls these functions of its `Handler`:
///
///     void on_begin(Direction, std::uint64_t offset);
///         A record begins at this offset of the stream.
///     void on_record(Direction, ContentType, std::uint16_t length);
///         The header of the record is complete. Its fragment has `length` bytes.
///     void on_fragment(Direction, Bytes);
///         The next bytes of the fragment.
///     void on_skipped(Direction, std::uint64_t count, bool not_captured);
///         The next `count` bytes of the fragment are passed without their content: they were not captured, or were
///         skippable.
///     void on_end(Direction);
///         The record is complete.
///     void on_unparsed(Direction, std::uint64_t offset, std::uint64_t count, bool not_captured);
///         `count` bytes from this offset of the stream on are passed while the parser is out of sync.
class RecordParser {
 public:
  /// The first byte fed has offset `offset` in its stream. `in_sync`: a record begins there.
  RecordParser(Direction direction, std::uint64_t offset, bool in_sync = true)
      : offset_(offset), state_(in_sync ? State::header : State::out_of_sync), direction_(direction) {}

  /// Parses the next bytes of the stream.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    if (state_ == State::out_of_sync && is_record_header(bytes.data(), bytes.size())) state_ = State::header;
    while (!bytes.empty() && state_ != State::out_of_sync) {
      bytes =
          bytes.subspan(state_ == State::header ? process_header(bytes, handler) : process_fragment(bytes, handler));
    }
    pass_unparsed(bytes.size(), false, handler);
  }

  /// Passes the next `count` bytes of the stream. They were not captured or, where `not_captured` is false, are
  /// skippable.
  template <class Handler>
  void skip(std::uint64_t count, bool not_captured, Handler& handler) {
    const std::uint64_t inside = std::min<std::uint64_t>(count, skippable());
    if (inside != 0) {
      handler.on_skipped(direction_, inside, not_captured);
      advance(inside, handler);
    }
    if (count == inside) return;
    lose_sync(handler);
    pass_unparsed(count - inside, not_captured, handler);
  }

  /// How many of the next bytes of the stream belong to the fragment of the present record.
  std::uint64_t skippable() const { return state_ == State::fragment ? fragment_left_ : 0; }
  /// Whether a record has begun and has not ended.
  bool in_record() const { return state_ == State::fragment || header_bytes_ != 0; }
  bool is_in_sync() const { return state_ != State::out_of_sync; }

 private:
  enum class State : std::uint8_t { header, fragment, out_of_sync };

  // The process_ functions return how many of `bytes` they processed.

  template <class Handler>
  std::size_t process_header(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kRecordHeaderBytes - header_bytes_, bytes.size());
    std::copy_n(bytes.data(), count, header_ + header_bytes_);
    if (!is_record_header(header_, header_bytes_ + count)) {
      lose_sync(handler);
      return 0;
    }
    const bool begins = header_bytes_ == 0;
    if (begins) begin_ = offset_;
    header_bytes_ += count;
    offset_ += count;
    if (begins) handler.on_begin(direction_, begin_);
    if (header_bytes_ < kRecordHeaderBytes) return count;
    header_bytes_ = 0;
    fragment_left_ = load_be16(header_ + 3);
    state_ = State::fragment;
    handler.on_record(direction_, static_cast<ContentType>(header_[0]), fragment_left_);
    advance(0, handler);
    return count;
  }

  template <class Handler>
  std::size_t process_fragment(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min<std::size_t>(fragment_left_, bytes.size());
    handler.on_fragment(direction_, bytes.first(count));
    advance(count, handler);
    return count;
  }

  /// Passes `count` bytes of the fragment, and ends the record after the last.
  template <class Handler>
  void advance(std::uint64_t count, Handler& handler) {
    offset_ += count;
    fragment_left_ = static_cast<std::uint16_t>(fragment_left_ - count);
    if (fragment_left_ != 0) return;
    state_ = State::header;
    handler.on_end(direction_);
  }

  template <class Handler>
  void lose_sync(Handler& handler) {
    state_ = State::out_of_sync;
    // The bytes so far of what turned out not to be a header.
    const std::size_t count = std::exchange(header_bytes_, 0);
    if (count != 0) handler.on_unparsed(direction_, begin_, count, false);
  }

  template <class Handler>
  void pass_unparsed(std::uint64_t count, bool not_captured, Handler& handler) {
    if (count == 0) return;
    handler.on_unparsed(direction_, offset_, count, not_captured);
    offset_ += count;
  }

  std::uint64_t offset_;             // of the next byte
  std::uint64_t begin_ = 0;          // offset of the present record
  std::size_t header_bytes_ = 0;     // of an incomplete header; 0: none has begun
  std::uint16_t fragment_left_ = 0;  // bytes of the fragment that are still to come
  State state_;
  Direction direction_;
  std::uint8_t header_[kRecordHeaderBytes] = {};
};

}  // namespace wirelap::tls
