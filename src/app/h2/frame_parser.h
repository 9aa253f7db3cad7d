// h2: the frames of one direction of an HTTP/2 connection in clear text (RFC 9113,
// sections 3.4, 4 and 6), as a resumable parser.
//
// In: the bytes of a stream in order, in pieces of any size, and sequence gaps.
// Out: frames, through an inlined handler: their headers, field blocks, and the
// fields of SETTINGS, PUSH_PROMISE and GOAWAY that others need. The content of
// DATA is counted and not looked at. Of any other payload only the length matters.
// The parser does not know TCP, time or HPACK.
//
// Bytes that were not captured inside a frame are passed by its length. The parser
// is out of sync where the beginning of the next frame is not known: after a
// sequence gap that contains the end of a frame, or after bytes that are not a
// frame. It then searches for a boundary that can be proved (app/h2/resync.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "app/h2/frame.h"
#include "app/h2/resync.h"
#include "base/bytes.h"

namespace wirelap::h2 {

/// What begins with the first byte that a parser is fed.
enum class Start : std::uint8_t {
  preface,  ///< the client's preface
  frame,    ///< a frame
  unknown,  ///< not known; the parser is out of sync
};

/// Parses the frames of one direction. It calls these functions of its `Handler`:
///
///     void on_preface(Direction);
///         The client's preface is complete: the connection begins here.
///     void on_begin(Direction, std::uint64_t offset);
///         A frame begins at this offset of the stream.
///     void on_frame(Direction, const FrameHeader&);
///         The header of the frame is complete.
///     void on_setting(Direction, std::uint16_t identifier, std::uint32_t value);
///         SETTINGS contains this setting.
///     void on_promise(Direction, std::uint32_t promised_stream);
///         The Promised Stream ID of PUSH_PROMISE.
///     void on_goaway(Direction, std::uint32_t last_stream);
///         The Last-Stream-ID of GOAWAY.
///     void on_fragment(Direction, Bytes);
///         The next bytes of a field block.
///     void on_bytes(Direction, std::uint64_t count, std::uint64_t content, bool not_captured);
///         The parser has passed `count` bytes of the payload, after the calls for what they contain. `content` of them
///         are the content of DATA, without padding.
///     void on_incomplete(Direction);
///         A part of the frame's fields or of its field block was not captured.
///     void on_end(Direction);
///         The frame is complete.
///     void on_sync_lost(Direction, bool not_captured);
///         The parser is out of sync, by a sequence gap (`not_captured`) or by bytes that are not a frame.
class FrameParser {
 public:
  /// The first byte fed has offset `offset` in its stream.
  FrameParser(Direction direction, std::uint64_t offset, Start start) : offset_(offset), direction_(direction) {
    state_ = start == Start::preface ? State::preface : start == Start::frame ? State::header : State::out_of_sync;
  }

  /// Parses the next bytes of the stream.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    while (!bytes.empty()) {
      switch (state_) {
        case State::preface: bytes = bytes.subspan(process_preface(bytes, handler)); break;
        case State::header: bytes = bytes.subspan(process_header(bytes, handler)); break;
        case State::payload: bytes = bytes.subspan(process_payload(bytes, handler)); break;
        case State::out_of_sync: bytes = bytes.subspan(find_boundary(bytes, handler)); break;
      }
    }
  }

  /// Passes the next `count` bytes of the stream. They were not captured or, where `not_captured` is false, are
  /// skippable.
  template <class Handler>
  void skip(std::uint64_t count, bool not_captured, Handler& handler) {
    if (state_ == State::payload) {
      const std::uint64_t inside = std::min<std::uint64_t>(count, payload_left_);
      if (not_captured && part_ != Part::content && part_ != Part::ignored) {
        handler.on_incomplete(direction_);
        part_ = header_.is(FrameType::data) ? Part::content : Part::ignored;
      }
      advance(inside, content_of(inside), not_captured, handler);
      count -= inside;
    }
    if (count == 0) return;
    offset_ += count;
    lose_sync(true, handler);
  }

  /// How many of the next bytes of the stream are payload of which only the number matters.
  std::uint64_t skippable() const {
    return state_ == State::payload && (part_ == Part::content || part_ == Part::ignored) ? payload_left_ : 0;
  }

  /// Offset of the next byte.
  std::uint64_t offset() const { return offset_; }
  bool is_in_sync() const { return state_ != State::out_of_sync; }

  /// Accepts frames of up to `bytes`, as the receiver allows (SETTINGS_MAX_FRAME_SIZE, section 4.2). The limit never
  /// goes down.
  void allow_frame_size(std::uint32_t bytes) { max_frame_size_ = std::max(max_frame_size_, bytes); }

  /// Ends an out-of-sync state: a frame begins with the next byte.
  void resume_at_frame() {
    if (!is_in_sync()) state_ = State::header;
  }

  /// Sets the largest stream identifier of a header that may prove a frame boundary.
  void limit_stream(std::uint32_t max_stream_identifier) { max_stream_identifier_ = max_stream_identifier; }

 private:
  enum class State : std::uint8_t { preface, header, payload, out_of_sync };
  /// What the next bytes of the payload are.
  enum class Part : std::uint8_t {
    pad_length,
    fixed_fields,  // `fixed_bytes_` bytes, which are collected
    fragment,      // of a field block
    content,       // of DATA
    ignored,       // padding, and what is not needed
  };

  // The process_ functions return how many of `bytes` they processed.

  template <class Handler>
  std::size_t process_preface(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kPreface.size() - collected_bytes_, bytes.size());
    if (as_text(bytes.first(count)) != kPreface.substr(collected_bytes_, count)) {
      lose_sync(false, handler);
      return 0;
    }
    offset_ += count;
    collected_bytes_ += count;
    if (collected_bytes_ < kPreface.size()) return count;
    collected_bytes_ = 0;
    state_ = State::header;
    handler.on_preface(direction_);
    return count;
  }

  template <class Handler>
  std::size_t process_header(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kFrameHeaderBytes - collected_bytes_, bytes.size());
    std::copy_n(bytes.data(), count, collected_ + collected_bytes_);
    if (collected_bytes_ == 0) handler.on_begin(direction_, offset_);
    collected_bytes_ += count;
    offset_ += count;
    if (collected_bytes_ == kFrameHeaderBytes) begin_frame(decode_frame_header(collected_), handler);
    return count;
  }

  /// Begins the frame whose header has ended. Only CONTINUATION of the same stream may follow an unfinished field block
  /// (section 6.10).
  template <class Handler>
  void begin_frame(const FrameHeader& header, Handler& handler) {
    collected_bytes_ = 0;
    header_ = header;
    const bool in_block = block_stream_ != 0;
    const bool continues = header.is(FrameType::continuation);
    if (in_block != continues || (in_block && header.stream_identifier != block_stream_) ||
        !is_possible(header, direction_, max_frame_size_)) {
      return lose_sync(false, handler);
    }
    if (header.carries_fields()) block_stream_ = header.has(kEndHeaders) ? 0 : header.stream_identifier;
    state_ = State::payload;
    payload_left_ = header.length;
    padding_ = 0;
    fixed_bytes_ = fixed_field_bytes();
    part_ = header.is_padded() ? Part::pad_length : part_after_pad_length();
    handler.on_frame(direction_, header_);
    advance(0, 0, false, handler);
  }

  /// Size of the fields before the fragment or the rest of the payload. SETTINGS consists of settings of this size.
  std::size_t fixed_field_bytes() const {
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::headers: return header_.has(kPriority) ? 5 : 0;
      case FrameType::push_promise: return 4;
      case FrameType::settings: return 6;
      case FrameType::goaway: return 8;
      default: return 0;
    }
  }

  Part part_after_pad_length() const { return fixed_bytes_ != 0 ? Part::fixed_fields : part_after_fixed_fields(); }

  Part part_after_fixed_fields() const {
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::data: return Part::content;
      case FrameType::headers:
      case FrameType::push_promise:
      case FrameType::continuation: return Part::fragment;
      case FrameType::settings: return Part::fixed_fields;
      default: return Part::ignored;
    }
  }

  template <class Handler>
  std::size_t process_payload(Bytes bytes, Handler& handler) {
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), payload_left_));
    switch (part_) {
      case Part::pad_length:
        padding_ = bytes[0];
        part_ = part_after_pad_length();
        // Padding that is as long as the payload or longer is an error (section 6.1).
        if (padding_ + fixed_bytes_ + 1 > payload_left_) {
          offset_ += 1;
          lose_sync(false, handler);
          return 1;
        }
        advance(1, 0, false, handler);
        return 1;
      case Part::fixed_fields: return process_fixed_fields(bytes, handler);
      case Part::fragment: {
        const std::size_t count = std::min<std::size_t>(bytes.size(), payload_left_ - padding_);
        handler.on_fragment(direction_, bytes.first(count));
        if (count == payload_left_ - padding_) part_ = Part::ignored;
        advance(count, 0, false, handler);
        return count;
      }
      case Part::content:
      case Part::ignored: break;
    }
    advance(bytes.size(), content_of(bytes.size()), false, handler);
    return bytes.size();
  }

  template <class Handler>
  std::size_t process_fixed_fields(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min<std::size_t>(fixed_bytes_ - collected_bytes_, bytes.size());
    std::copy_n(bytes.data(), count, collected_ + collected_bytes_);
    collected_bytes_ += count;
    if (collected_bytes_ == fixed_bytes_) {
      collected_bytes_ = 0;
      part_ = part_after_fixed_fields();
      report_fixed_fields(handler);
    }
    advance(count, 0, false, handler);
    return count;
  }

  template <class Handler>
  void report_fixed_fields(Handler& handler) {
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::settings: return handler.on_setting(direction_, load_be16(collected_), load_be32(collected_ + 2));
      case FrameType::push_promise: return handler.on_promise(direction_, load_be32(collected_) & kMaxStreamIdentifier);
      case FrameType::goaway: return handler.on_goaway(direction_, load_be32(collected_) & kMaxStreamIdentifier);
      default: return;
    }
  }

  /// How many of the next `count` bytes of the payload are the content of DATA, without padding.
  std::uint64_t content_of(std::uint64_t count) const {
    return part_ == Part::content && payload_left_ > padding_ ? std::min<std::uint64_t>(count, payload_left_ - padding_)
                                                              : 0;
  }

  /// Passes `count` bytes of the payload, and ends the frame after the last.
  template <class Handler>
  void advance(std::uint64_t count, std::uint64_t content, bool not_captured, Handler& handler) {
    offset_ += count;
    payload_left_ -= static_cast<std::uint32_t>(count);
    if (count != 0) handler.on_bytes(direction_, count, content, not_captured);
    if (payload_left_ != 0) return;
    state_ = State::header;
    collected_bytes_ = 0;
    handler.on_end(direction_);
  }

  template <class Handler>
  void lose_sync(bool not_captured, Handler& handler) {
    const bool was_in_sync = is_in_sync();
    state_ = State::out_of_sync;
    collected_bytes_ = 0;
    block_stream_ = 0;
    search_.restart(offset_);
    if (was_in_sync) handler.on_sync_lost(direction_, not_captured);
  }

  template <class Handler>
  std::size_t find_boundary(Bytes bytes, Handler& handler) {
    if (begins_with_preface(bytes, direction_)) {
      state_ = State::preface;
      return 0;
    }
    const PlausibilityCheck check{direction_, max_frame_size_, max_stream_identifier_};
    if (begins_with_frame(bytes, check)) {
      state_ = State::header;
      return 0;
    }
    FrameHeader header;
    const std::size_t used = search_.feed(bytes, offset_, check, header);
    offset_ += used;
    if (!search_.found()) return used;
    handler.on_begin(direction_, offset_ - kFrameHeaderBytes);
    begin_frame(header, handler);
    return used;
  }

  std::uint64_t offset_;  // of the next byte
  BoundarySearch search_;
  FrameHeader header_;
  std::uint32_t payload_left_ = 0;   // bytes of the payload that are still to come
  std::uint32_t padding_ = 0;        // how many of them are padding
  std::size_t collected_bytes_ = 0;  // of the preface, of a header or of fixed fields
  std::size_t fixed_bytes_ = 0;      // size of the fixed fields
  std::uint32_t block_stream_ = 0;   // the stream whose field block has not ended; 0: none
  std::uint32_t max_frame_size_ = kMinMaxFrameSize;
  std::uint32_t max_stream_identifier_ = kMaxStreamIdentifier;
  State state_;
  Part part_ = Part::ignored;
  Direction direction_;
  std::uint8_t collected_[kFrameHeaderBytes] = {};
};

}  // namespace wirelap::h2
