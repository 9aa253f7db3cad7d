// http: one direction of an HTTP/1 connection, as a resumable parser.
//
// In: a stream's bytes in order, in pieces of any size, and holes. Out: events
// through an inlined handler. Knows no TCP and no time. Body bytes whose length
// is known are counted, never looked at.
//
// After a hole that hides where a message ends, or bytes that are no message,
// the parser is lost: it looks at the start of each later piece for a message.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/head.h"

namespace wirelap::http {

/// Parses messages of one role. `Handler` has:
///   void on_begin(Role, std::uint64_t offset)  at a message's first byte, which has this offset in its stream
///   Framing on_head(Role, const Head&)   its head is whole; says how its body ends
///   void on_start_line(Role, const Head&)  of a head whose rest is not captured
///   void on_bytes(Role, std::uint64_t count, std::uint64_t body)  `count` bytes more of it, `body` of them content
///   void on_missing(Role, std::uint64_t count)  of the bytes told just before, that many are not captured
///   void on_end(Role)                    it is complete
///   void on_lost(Role)                   a hole or bad framing hides where it ends; also between messages
///   void on_stray(Role, std::uint64_t count, bool missing)  bytes passed over while lost
///   void on_garbage(Role)                what began is no HTTP/1 message
class Parser {
 public:
  /// A longer head is taken for garbage.
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;

  /// The first bytes fed have offset `offset` in their stream; `in_sync`: they are a message's start.
  Parser(Role role, std::uint64_t offset, bool in_sync)
      : state_(in_sync ? State::idle : State::lost), role_(role), offset_(offset) {}

  /// Takes the stream's next bytes.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    offset_ += bytes.size();
    if (state_ == State::lost) find_start(bytes, handler);
    while (!bytes.empty() && state_ != State::lost && state_ != State::stopped) {
      switch (state_) {
        case State::idle: take_idle(bytes, handler); break;
        case State::head: take_head(bytes, handler); break;
        case State::body:
        case State::chunk_data:
        case State::until_close:
        case State::tunnel: take_body(bytes, handler); break;
        default: take_chunk_framing(bytes, handler); break;
      }
    }
  }

  /// Passes over the stream's next `count` bytes; `missing` where the capture
  /// does not hold them, else they are captured bytes that nobody needs to see.
  template <class Handler>
  void skip(std::uint64_t count, bool missing, Handler& handler) {
    offset_ += count;
    while (count != 0 && in_body()) {
      const std::uint64_t taken = std::min(count, remaining_);
      handler.on_bytes(role_, taken, content_of(taken));
      if (missing) handler.on_missing(role_, taken);
      count -= taken;
      pass_body(taken, handler);
    }
    if (count == 0 || state_ == State::stopped) return;
    if (state_ == State::lost) return handler.on_stray(role_, count, missing);
    reveal_start_line(handler);
    if (state_ != State::idle) {
      handler.on_bytes(role_, count, 0);
      handler.on_missing(role_, count);
    }
    lose(handler);
  }

  /// The stream has ended: a body that lasts until then is complete.
  template <class Handler>
  void finish(Handler& handler) {
    if (state_ == State::until_close || state_ == State::tunnel) end_message(handler);
  }

  /// What comes from here on is none of this parser's.
  void stop() { state_ = State::stopped; }

  /// Tells the start line of a head of which no more comes.
  template <class Handler>
  void reveal_start_line(Handler& handler) {
    if (state_ != State::head) return;
    if (const auto head = parse_cut_head(head_, role_)) handler.on_start_line(role_, *head);
  }

  /// Bytes from here on of which only the count matters.
  std::uint64_t skippable() const { return in_body() ? remaining_ : 0; }

  bool lost() const { return state_ == State::lost; }
  /// What has begun may be a message: not even its method or version is there.
  bool is_undecided() const { return state_ == State::head && looks_like_start(head_, role_) == Likeness::maybe; }

  /// Whether `bytes`, from the middle of a stream, begin with a message of `role`:
  /// its whole start line.
  static bool begins_message(Bytes bytes, Role role) { return is_start_line(as_text(bytes), role) == Likeness::yes; }

 private:
  enum class State : std::uint8_t {
    idle,  // before a message
    head,
    body,  // of `remaining_` bytes
    until_close,
    tunnel,
    chunk_size,  // RFC 9112, section 7.1
    chunk_extension,
    chunk_data,
    chunk_end,  // the line end after a chunk
    trailer,
    lost,
    stopped,
  };
  static constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();

  bool in_body() const {
    return state_ == State::body || state_ == State::chunk_data || state_ == State::until_close ||
           state_ == State::tunnel;
  }

  /// Of `count` bytes, those that are the message's content.
  std::uint64_t content_of(std::uint64_t count) const { return state_ == State::tunnel ? 0 : count; }

  template <class Handler>
  void find_start(Bytes bytes, Handler& handler) {
    if (begins_message(bytes, role_)) {
      state_ = State::idle;
    } else if (!bytes.empty()) {
      handler.on_stray(role_, bytes.size(), false);
    }
  }

  template <class Handler>
  void take_idle(Bytes& bytes, Handler& handler) {
    // A client may send empty lines before its request (RFC 9112, section 2.2).
    const auto is_line_end = [](std::uint8_t byte) { return byte == '\r' || byte == '\n'; };
    const auto start = std::find_if_not(bytes.begin(), bytes.end(), is_line_end);
    bytes = bytes.subspan(static_cast<std::size_t>(start - bytes.begin()));
    if (bytes.empty()) return;
    state_ = State::head;
    handler.on_begin(role_, offset_ - bytes.size());
  }

  template <class Handler>
  void take_head(Bytes& bytes, Handler& handler) {
    const std::size_t before = head_.size();
    if (before != 0) head_.append(as_text(bytes.first(std::min(bytes.size(), kMaxHeadBytes))));
    const std::string_view seen = before != 0 ? std::string_view(head_) : as_text(bytes);
    const std::size_t end = find_head_end(seen, before < 2 ? 0 : before - 2);
    const bool whole = end != std::string_view::npos;
    const std::size_t taken = whole ? end - before : bytes.size();
    handler.on_bytes(role_, taken, 0);
    const bool too_long = (whole ? end : seen.size()) > kMaxHeadBytes;
    if (too_long || (!whole && is_start_line(seen, role_) == Likeness::no)) return reject(handler);
    bytes = bytes.subspan(taken);
    if (!whole) {
      if (before == 0) head_.assign(seen);
      return;
    }
    const auto head = parse_head(seen.substr(0, end), role_);
    if (!head) return reject(handler);
    begin_body(handler.on_head(role_, *head), handler);
    head_.clear();
  }

  template <class Handler>
  void begin_body(const Framing& framing, Handler& handler) {
    remaining_ = framing.length;
    switch (framing.kind) {
      case Framing::Kind::length:
        state_ = State::body;
        if (remaining_ == 0) end_message(handler);
        break;
      case Framing::Kind::chunked: begin_chunk_size(); break;
      case Framing::Kind::until_close:
      case Framing::Kind::tunnel:
        state_ = framing.kind == Framing::Kind::tunnel ? State::tunnel : State::until_close;
        remaining_ = kEndless;
        break;
    }
  }

  template <class Handler>
  void take_body(Bytes& bytes, Handler& handler) {
    const std::uint64_t taken = std::min<std::uint64_t>(bytes.size(), remaining_);
    handler.on_bytes(role_, taken, content_of(taken));
    bytes = bytes.subspan(static_cast<std::size_t>(taken));
    pass_body(taken, handler);
  }

  template <class Handler>
  void pass_body(std::uint64_t count, Handler& handler) {
    if (remaining_ != kEndless) remaining_ -= count;
    if (remaining_ != 0) return;
    if (state_ == State::chunk_data) {
      state_ = State::chunk_end;
    } else {
      end_message(handler);
    }
  }

  void begin_chunk_size() {
    state_ = State::chunk_size;
    remaining_ = 0;
    line_bytes_ = 0;
  }

  /// Framing bytes one at a time: they are few, and may be split anywhere.
  template <class Handler>
  void take_chunk_framing(Bytes& bytes, Handler& handler) {
    std::size_t taken = 0;
    while (taken < bytes.size() && is_chunk_framing()) take_framing_byte(bytes[taken++]);
    handler.on_bytes(role_, taken, 0);
    bytes = bytes.subspan(taken);
    if (state_ == State::idle) handler.on_end(role_);
    if (state_ == State::lost) handler.on_lost(role_);
  }

  bool is_chunk_framing() const {
    return state_ == State::chunk_size || state_ == State::chunk_extension || state_ == State::chunk_end ||
           state_ == State::trailer;
  }

  void take_framing_byte(std::uint8_t byte) {
    switch (state_) {
      case State::chunk_size: return take_size_byte(byte);
      case State::chunk_extension:
        if (byte == '\n') end_size_line();
        return;
      case State::chunk_end:
        if (byte == '\n') return begin_chunk_size();
        if (byte != '\r') state_ = State::lost;
        return;
      default:  // trailer: field lines up to an empty one
        if (byte == '\n') {
          if (line_bytes_ == 0) state_ = State::idle;
          line_bytes_ = 0;
        } else if (byte != '\r') {
          ++line_bytes_;
        }
    }
  }

  void take_size_byte(std::uint8_t byte) {
    const int digit = byte >= '0' && byte <= '9'                     ? byte - '0'
                      : (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' ? (byte | 0x20) - 'a' + 10
                                                                     : -1;
    if (digit >= 0 && remaining_ >> 59 == 0) {
      remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
      ++line_bytes_;
    } else if (line_bytes_ == 0 || digit >= 0) {
      state_ = State::lost;  // no number, or one that no body has
    } else if (byte == '\n') {
      end_size_line();
    } else if (byte == ';' || byte == ' ' || byte == '\t' || byte == '\r') {
      state_ = State::chunk_extension;
    } else {
      state_ = State::lost;
    }
  }

  void end_size_line() {
    line_bytes_ = 0;
    state_ = remaining_ == 0 ? State::trailer : State::chunk_data;
  }

  template <class Handler>
  void end_message(Handler& handler) {
    state_ = State::idle;
    handler.on_end(role_);
  }

  template <class Handler>
  void reject(Handler& handler) {
    state_ = State::lost;
    head_.clear();
    handler.on_garbage(role_);
  }

  template <class Handler>
  void lose(Handler& handler) {
    state_ = State::lost;
    head_.clear();
    handler.on_lost(role_);
  }

  State state_;
  Role role_;
  std::uint32_t line_bytes_ = 0;  // of a chunk's size digits, or a trailer line
  std::uint64_t offset_;          // in the stream, of the end of what was fed
  std::uint64_t remaining_ = 0;   // of the body or chunk; while a size is read, the size so far
  std::string head_;              // a head that came in pieces, so far
};

}  // namespace wirelap::http
