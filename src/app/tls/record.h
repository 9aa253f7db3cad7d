// tls: the record layer of one direction, as a resumable parser.
//
// In: a stream's bytes in order, in pieces of any size, and holes. Out: records
// (RFC 8446, section 5.1) through an inlined handler: what they are and how
// long, and the bytes that they carry, encrypted or not. Knows no TCP, no time
// and no handshake.
//
// After a hole that hides where a record ends, or bytes that are no record, the
// parser is lost: it looks at the start of each later piece for a record.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "flow/direction.h"

namespace wirelap::tls {

/// RFC 8446, section 5.1; heartbeat: RFC 6520.
enum class ContentType : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
  heartbeat = 24,
};

/// type, legacy_record_version, length.
inline constexpr std::size_t kRecordHeaderBytes = 5;
/// TLSCiphertext.length is at most this (RFC 5246, section 6.2.3; RFC 8446 allows less).
inline constexpr std::uint16_t kMaxRecordLength = (1 << 14) + 2048;

/// Whether the first `have` bytes at `header` can be a record's header.
inline bool is_record_header(const std::uint8_t* header, std::size_t have) {
  if (have > 0 && (header[0] < 20 || header[0] > 24)) return false;
  if (have > 1 && header[1] != 3) return false;
  if (have > 2 && header[2] > 4) return false;
  if (have < kRecordHeaderBytes) return true;
  const std::uint16_t length = load_be16(header + 3);
  const bool may_be_empty = header[0] == static_cast<std::uint8_t>(ContentType::application_data);
  return length <= kMaxRecordLength && (length > 0 || may_be_empty);
}

/// Whether `bytes` are whole records, one after the other, and the first one of
/// application data: nothing else looks so by chance.
inline bool are_data_records(Bytes bytes) {
  if (bytes.empty() || bytes[0] != static_cast<std::uint8_t>(ContentType::application_data)) return false;
  while (bytes.size() > kRecordHeaderBytes && is_record_header(bytes.data(), bytes.size())) {
    const std::size_t length = kRecordHeaderBytes + load_be16(bytes.data() + 3);
    if (bytes[1] != 3 || bytes[2] == 0 || length > bytes.size()) return false;
    bytes = bytes.subspan(length);
  }
  return bytes.empty();
}

/// Parses the records of one direction's stream. `Handler` has:
///   void on_begin(Direction, std::uint64_t offset)  at a record's first byte, which has this offset in its stream
///   void on_record(Direction, ContentType, std::uint16_t length)  its header is whole; `length` bytes follow
///   void on_fragment(Direction, Bytes)              some of these
///   void on_skipped(Direction, std::uint64_t count, bool missing)  some of these, passed over
///   void on_end(Direction)                          it is complete
///   void on_stray(Direction, std::uint64_t offset, std::uint64_t count, bool missing)  bytes passed over while lost
class RecordParser {
 public:
  /// The first byte fed has offset `offset` in its stream; `in_sync`: it is a record's first.
  RecordParser(Direction direction, std::uint64_t offset, bool in_sync = true)
      : offset_(offset), state_(in_sync ? State::header : State::lost), direction_(direction) {}

  /// Takes the stream's next bytes.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    if (state_ == State::lost && is_record_header(bytes.data(), bytes.size())) state_ = State::header;
    while (!bytes.empty() && state_ != State::lost) {
      bytes = bytes.subspan(state_ == State::header ? take_header(bytes, handler) : take_fragment(bytes, handler));
    }
    stray(bytes.size(), false, handler);
  }

  /// Passes over the stream's next `count` bytes; `missing` where the capture
  /// does not hold them, else they are captured bytes that nobody needs to see.
  template <class Handler>
  void skip(std::uint64_t count, bool missing, Handler& handler) {
    const std::uint64_t inside = std::min<std::uint64_t>(count, skippable());
    if (inside != 0) {
      handler.on_skipped(direction_, inside, missing);
      pass(inside, handler);
    }
    if (count == inside) return;
    lose(handler);
    stray(count - inside, missing, handler);
  }

  /// Bytes of the present record that are still to come, its header apart.
  std::uint64_t skippable() const { return state_ == State::fragment ? left_ : 0; }
  /// A record has begun and not ended.
  bool in_record() const { return state_ == State::fragment || have_ != 0; }
  bool lost() const { return state_ == State::lost; }

 private:
  enum class State : std::uint8_t { header, fragment, lost };

  /// Both return how many of `bytes` they took.
  template <class Handler>
  std::size_t take_header(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kRecordHeaderBytes - have_, bytes.size());
    std::copy_n(bytes.data(), count, header_ + have_);
    if (!is_record_header(header_, have_ + count)) {
      lose(handler);
      return 0;
    }
    if (have_ == 0) begin_ = offset_;
    const bool first = have_ == 0;
    have_ += count;
    offset_ += count;
    if (first) handler.on_begin(direction_, begin_);
    if (have_ < kRecordHeaderBytes) return count;
    have_ = 0;
    left_ = load_be16(header_ + 3);
    state_ = State::fragment;
    handler.on_record(direction_, static_cast<ContentType>(header_[0]), left_);
    pass(0, handler);
    return count;
  }

  template <class Handler>
  std::size_t take_fragment(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min<std::size_t>(left_, bytes.size());
    handler.on_fragment(direction_, bytes.first(count));
    pass(count, handler);
    return count;
  }

  template <class Handler>
  void pass(std::uint64_t count, Handler& handler) {
    offset_ += count;
    left_ = static_cast<std::uint16_t>(left_ - count);
    if (left_ != 0) return;
    state_ = State::header;
    handler.on_end(direction_);
  }

  template <class Handler>
  void lose(Handler& handler) {
    state_ = State::lost;
    // The part of a header that was held back.
    const std::size_t held = std::exchange(have_, 0);
    if (held != 0) handler.on_stray(direction_, begin_, held, false);
  }

  template <class Handler>
  void stray(std::uint64_t count, bool missing, Handler& handler) {
    if (count == 0) return;
    handler.on_stray(direction_, offset_, count, missing);
    offset_ += count;
  }

  std::uint64_t offset_;  // of the next byte
  std::uint64_t begin_ = 0;
  std::size_t have_ = 0;    // bytes of the header so far
  std::uint16_t left_ = 0;  // bytes of the fragment to come
  State state_;
  Direction direction_;
  std::uint8_t header_[kRecordHeaderBytes] = {};
};

}  // namespace wirelap::tls
