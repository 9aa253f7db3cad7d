// h2: one direction of an HTTP/2 connection in clear, as a resumable parser of
// frames (RFC 9113, sections 3.4, 4 and 6).
//
// In: a stream's bytes in order, in pieces of any size, and holes. Out: frames
// through an inlined handler: what they are, the field blocks and the few
// numbers that others need. Content of DATA is counted, never looked at;
// priorities, pings, windows and types that are not known are passed over.
// Knows no TCP, no time and no HPACK.
//
// A hole inside a frame is passed by its length. After one that hides where a
// frame ends, or bytes that are no frame, the parser is lost: it looks for a
// boundary that can be proved (search.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "app/h2/resync.h"
#include "base/bytes.h"

namespace wirelap::h2 {

/// How a parser's first byte stands.
enum class Start : std::uint8_t {
  preface,   ///< it is the client's preface
  boundary,  ///< it is a frame's first
  unknown,
};

/// Parses the frames of one direction's stream. `Handler` has:
///   void on_preface(Direction)                      the connection begins here
///   void on_begin(Direction, std::uint64_t offset)  at a frame's first byte, which has this offset in its stream
///   void on_frame(Direction, const FrameHeader&)    its header is whole
///   void on_setting(Direction, std::uint16_t identifier, std::uint32_t value)
///   void on_promise(Direction, std::uint32_t stream)    of PUSH_PROMISE
///   void on_goaway(Direction, std::uint32_t last_stream)
///   void on_fragment(Direction, Bytes)              a part of a field block
///   void on_bytes(Direction, std::uint64_t count, std::uint64_t content, bool missing)  `count` bytes of the payload
///                                              passed, `content` of them DATA's without padding
///   void on_damage(Direction)                       something else than content is missing of the present frame
///   void on_end(Direction)                          it is complete
///   void on_lost(Direction, bool missing)           a hole or a bad frame hides where the next begins
class FrameParser {
 public:
  /// The first byte fed has offset `offset` in its stream.
  FrameParser(Direction direction, std::uint64_t offset, Start start) : offset_(offset), direction_(direction) {
    state_ = start == Start::preface ? State::preface : start == Start::boundary ? State::header : State::lost;
  }

  /// Takes the stream's next bytes.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    while (!bytes.empty()) {
      switch (state_) {
        case State::preface: bytes = bytes.subspan(take_preface(bytes, handler)); break;
        case State::header: bytes = bytes.subspan(take_header(bytes, handler)); break;
        case State::payload: bytes = bytes.subspan(take_payload(bytes, handler)); break;
        case State::lost: bytes = bytes.subspan(find_boundary(bytes, handler)); break;
      }
    }
  }

  /// Passes over the stream's next `count` bytes; `missing` where the capture
  /// does not hold them, else they are captured bytes that nobody needs to see.
  template <class Handler>
  void skip(std::uint64_t count, bool missing, Handler& handler) {
    if (state_ == State::payload) {
      const std::uint64_t inside = std::min<std::uint64_t>(count, left_);
      if (missing && part_ != Part::content && part_ != Part::nothing) {
        handler.on_damage(direction_);
        part_ = header_.type == static_cast<std::uint8_t>(FrameType::data) ? Part::content : Part::nothing;
      }
      pass(inside, content_of(inside), missing, handler);
      count -= inside;
    }
    if (count == 0) return;
    offset_ += count;
    lose(true, handler);
  }

  /// Payload of the present frame that is still to come and of which only the count matters.
  std::uint64_t skippable() const {
    return state_ == State::payload && (part_ == Part::content || part_ == Part::nothing) ? left_ : 0;
  }

  /// Offset of the next byte.
  std::uint64_t offset() const { return offset_; }
  bool lost() const { return state_ == State::lost; }

  /// What its sender was allowed by the other end (section 4.2); longer frames are none.
  void allow_frame_size(std::uint32_t bytes) { max_frame_size_ = std::max(max_frame_size_, bytes); }

  /// The stream starts anew with a frame, if it was lost.
  void settle_at_boundary() {
    if (lost()) state_ = State::header;
  }

  /// The highest stream identifier that a boundary may be proved by.
  void limit_stream(std::uint32_t highest) { highest_stream_ = highest; }

 private:
  enum class State : std::uint8_t { preface, header, payload, lost };
  /// What the next bytes of the payload are.
  enum class Part : std::uint8_t {
    pad_length,
    numbers,   // collected: `numbers_due_` bytes
    fragment,  // of a field block
    content,   // of DATA
    nothing,   // padding, or what nobody needs
  };

  template <class Handler>
  std::size_t take_preface(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kPreface.size() - have_, bytes.size());
    if (as_text(bytes.first(count)) != kPreface.substr(have_, count)) {
      lose(false, handler);
      return 0;
    }
    offset_ += count;
    have_ += count;
    if (have_ < kPreface.size()) return count;
    have_ = 0;
    state_ = State::header;
    handler.on_preface(direction_);
    return count;
  }

  template <class Handler>
  std::size_t take_header(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min(kFrameHeaderBytes - have_, bytes.size());
    std::copy_n(bytes.data(), count, collected_ + have_);
    if (have_ == 0) handler.on_begin(direction_, offset_);
    have_ += count;
    offset_ += count;
    if (have_ == kFrameHeaderBytes) begin_frame(decode_frame_header(collected_), handler);
    return count;
  }

  template <class Handler>
  void begin_frame(const FrameHeader& header, Handler& handler) {
    have_ = 0;
    header_ = header;
    const bool in_block = block_stream_ != 0;
    const bool continues = header.is(FrameType::continuation);
    if (in_block != continues || (in_block && header.stream != block_stream_) ||
        !is_possible(header, direction_, max_frame_size_)) {
      return lose(false, handler);
    }
    if (header.carries_fields()) block_stream_ = header.has(kEndHeaders) ? 0 : header.stream;
    state_ = State::payload;
    left_ = header.length;
    padding_ = 0;
    settle_numbers();
    part_ = header.is_padded() ? Part::pad_length : part_after_padding();
    handler.on_frame(direction_, header_);
    pass(0, 0, false, handler);
  }

  void settle_numbers() {
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::headers: numbers_due_ = header_.has(kPriority) ? 5 : 0; break;
      case FrameType::push_promise: numbers_due_ = 4; break;
      case FrameType::settings: numbers_due_ = 6; break;
      case FrameType::goaway: numbers_due_ = 8; break;
      default: numbers_due_ = 0;
    }
  }

  Part part_after_padding() const { return numbers_due_ != 0 ? Part::numbers : part_after_numbers(); }

  Part part_after_numbers() const {
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::data: return Part::content;
      case FrameType::headers:
      case FrameType::push_promise:
      case FrameType::continuation: return Part::fragment;
      case FrameType::settings: return Part::numbers;
      default: return Part::nothing;
    }
  }

  template <class Handler>
  std::size_t take_payload(Bytes bytes, Handler& handler) {
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), left_));
    switch (part_) {
      case Part::pad_length:
        padding_ = bytes[0];
        part_ = part_after_padding();
        // Section 6.1: padding that fills the payload or more is an error.
        if (padding_ + numbers_due_ + 1 > left_) {
          offset_ += 1;
          lose(false, handler);
          return 1;
        }
        pass(1, 0, false, handler);
        return 1;
      case Part::numbers: return take_numbers(bytes, handler);
      case Part::fragment: {
        const std::size_t count = std::min<std::size_t>(bytes.size(), left_ - padding_);
        handler.on_fragment(direction_, bytes.first(count));
        if (count == left_ - padding_) part_ = Part::nothing;
        pass(count, 0, false, handler);
        return count;
      }
      case Part::content:
      case Part::nothing: break;
    }
    pass(bytes.size(), content_of(bytes.size()), false, handler);
    return bytes.size();
  }

  template <class Handler>
  std::size_t take_numbers(Bytes bytes, Handler& handler) {
    const std::size_t count = std::min<std::size_t>(numbers_due_ - have_, bytes.size());
    std::copy_n(bytes.data(), count, collected_ + have_);
    have_ += count;
    if (have_ == numbers_due_) {
      have_ = 0;
      part_ = part_after_numbers();
      tell_numbers(handler);
    }
    pass(count, 0, false, handler);
    return count;
  }

  template <class Handler>
  void tell_numbers(Handler& handler) {
    constexpr std::uint32_t kStreamMask = 0x7fffffff;
    switch (static_cast<FrameType>(header_.type)) {
      case FrameType::settings: return handler.on_setting(direction_, load_be16(collected_), load_be32(collected_ + 2));
      case FrameType::push_promise: return handler.on_promise(direction_, load_be32(collected_) & kStreamMask);
      case FrameType::goaway: return handler.on_goaway(direction_, load_be32(collected_) & kStreamMask);
      default: return;
    }
  }

  /// Of the next `count` bytes of the payload, those that are DATA's without padding.
  std::uint64_t content_of(std::uint64_t count) const {
    return part_ == Part::content && left_ > padding_ ? std::min<std::uint64_t>(count, left_ - padding_) : 0;
  }

  /// `count` bytes of the payload are done with.
  template <class Handler>
  void pass(std::uint64_t count, std::uint64_t content, bool missing, Handler& handler) {
    offset_ += count;
    left_ -= static_cast<std::uint32_t>(count);
    if (count != 0) handler.on_bytes(direction_, count, content, missing);
    if (left_ != 0) return;
    state_ = State::header;
    have_ = 0;
    handler.on_end(direction_);
  }

  template <class Handler>
  void lose(bool missing, Handler& handler) {
    const bool again = state_ == State::lost;
    state_ = State::lost;
    have_ = 0;
    block_stream_ = 0;
    search_.begin(offset_);
    if (!again) handler.on_lost(direction_, missing);
  }

  template <class Handler>
  std::size_t find_boundary(Bytes bytes, Handler& handler) {
    if (begins_with_preface(bytes, direction_)) {
      state_ = State::preface;
      return 0;
    }
    const Plausible plausible{direction_, max_frame_size_, highest_stream_};
    if (frames_fill(bytes, plausible)) {
      state_ = State::header;
      return 0;
    }
    FrameHeader header;
    const std::size_t taken = search_.feed(bytes, offset_, plausible, header);
    offset_ += taken;
    if (!search_.found()) return taken;
    handler.on_begin(direction_, offset_ - kFrameHeaderBytes);
    begin_frame(header, handler);
    return taken;
  }

  std::uint64_t offset_;  // of the next byte
  BoundarySearch search_;
  FrameHeader header_;
  std::uint32_t left_ = 0;     // bytes of the payload to come
  std::uint32_t padding_ = 0;  // of them
  std::size_t have_ = 0;       // of preface, header or numbers
  std::size_t numbers_due_ = 0;
  std::uint32_t block_stream_ = 0;  // whose field block is to be continued; 0: none
  std::uint32_t max_frame_size_ = kMinMaxFrameSize;
  std::uint32_t highest_stream_ = kMaxStream;
  State state_;
  Part part_ = Part::nothing;
  Direction direction_;
  std::uint8_t collected_[kFrameHeaderBytes] = {};
};

}  // namespace wirelap::h2
