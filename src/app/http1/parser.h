// http: one direction of an HTTP/1 connection, as a resumable parser.
//
// In: a stream's bytes in order, in pieces of any size, and holes. Out: events
// through an inlined handler. Knows no TCP and no time. Body bytes whose length
// is known are counted, never looked at.
//
// After a hole that hides where a message ends, or bytes that are no message,
// the parser is lost: it looks in what follows for the next message's start line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/http1/head.h"
#include "base/bytes.h"

namespace wirelap::http1 {

/// Parses messages of one direction. `Handler` has:
///   void on_begin(Direction, std::uint64_t offset, bool held)  at a message's first byte, which has this offset in its
///                                        stream; `held`: it came at the latest on_held
///   void on_held(Direction)                   bytes are kept back: a message may begin with them
///   Framing on_head(Direction, const Head&)   its head is whole; says how its body ends
///   void on_start_line(Direction, const Head&)  of a head whose rest is not captured
///   void on_bytes(Direction, std::uint64_t count, std::uint64_t body)  `count` bytes more of it, `body` of them
///   content void on_not_captured(Direction, std::uint64_t count)  of the bytes told just before, that many are not
///   captured void on_end(Direction)                    it is complete void on_lost(Direction)                   a hole
///   or bad framing hides where it ends; also between messages void on_stray(Direction, std::uint64_t count, bool
///   missing)  bytes passed over while lost void on_tunnel(Direction, std::uint64_t count, bool missing)  bytes after
///   the message that began the tunnel void on_garbage(Direction)                what began is no HTTP/1 message bool
///   is_headless(Direction)               whether what began may be an answer without a head (HTTP/0.9) bool
///   may_begin_inside(Direction)          whether, lost, a message may begin elsewhere than with a piece
class Parser {
 public:
  /// A longer head is taken for garbage.
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;

  /// The first bytes fed have offset `offset` in their stream; `in_sync`: they are a message's start.
  /// What it keeps of heads is kept in `memory`.
  Parser(Direction direction, std::uint64_t offset, bool in_sync,
         std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : state_(in_sync ? State::idle : State::lost), direction_(direction), offset_(offset), head_(memory) {}

  /// Takes the stream's next bytes.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    offset_ += bytes.size();
    if (std::exchange(doubtful_, false) && is_start(bytes)) [[unlikely]]
      end_message(handler);
    while (!bytes.empty() && state_ != State::stopped) {
      switch (state_) {
        case State::lost: find_start(bytes, handler); break;
        case State::idle:
          take_idle(bytes, handler);
          if (bytes.empty()) break;
          [[fallthrough]];
        case State::head: take_head(bytes, handler); break;
        case State::body:
        case State::chunk_data:
        case State::until_close:
        case State::tunnel: take_body(bytes, handler); break;
        default: take_chunk_framing(bytes, handler); break;
      }
    }
  }

  /// Whether the next `count` bytes are content, and more follows. They are taken, then: `feed` would tell of them
  /// that many more bytes, and no more.
  bool take_content(std::uint64_t count) {
    if (!in_content() || count >= remaining_ || doubtful_) return false;
    offset_ += count;
    if (remaining_ != kEndless) remaining_ -= count;
    return true;
  }

  /// Passes over the stream's next `count` bytes; `missing` where the capture
  /// does not hold them, else they are captured bytes that nobody needs to see.
  template <class Handler>
  void skip(std::uint64_t count, bool missing, Handler& handler) {
    offset_ += count;
    doubtful_ = false;
    while (count != 0 && in_body()) {
      const std::uint64_t taken = std::min(count, remaining_);
      tell_body(taken, missing, handler);
      count -= taken;
      pass_body(taken, handler);
    }
    if (count == 0 || state_ == State::stopped) return;
    if (state_ == State::lost) {
      let_go(handler);
      return handler.on_stray(direction_, count, missing);
    }
    reveal_start_line(handler);
    if (state_ != State::idle) {
      handler.on_bytes(direction_, count, 0);
      handler.on_not_captured(direction_, count);
    }
    lose(handler);
  }

  /// The stream has ended: a body that lasts until then is complete.
  template <class Handler>
  void finish(Handler& handler) {
    if (state_ == State::until_close) end_message(handler);
  }

  /// What comes from here on is the tunnel's.
  void begin_tunnel() {
    state_ = State::tunnel;
    remaining_ = kEndless;
  }

  /// Whether the present message, of which no content has come, has any is not known.
  void doubt_body() { doubtful_ = in_body() || state_ == State::chunk_size; }

  /// What comes from here on is none of this parser's.
  void stop() { state_ = State::stopped; }

  /// Tells the start line of a head of which no more comes.
  template <class Handler>
  void reveal_start_line(Handler& handler) {
    if (state_ != State::head) return;
    if (const auto head = parse_cut_head(head_, direction_)) handler.on_start_line(direction_, *head);
  }

  /// About what it holds of memory.
  std::size_t held_bytes() const { return head_.capacity(); }

  /// Bytes from here on of which only the count matters.
  std::uint64_t skippable() const { return in_body() && !doubtful_ ? remaining_ : 0; }

  bool lost() const { return state_ == State::lost; }
  /// What has begun may be a message: not even its method or version is there.
  bool is_undecided() const { return state_ == State::head && looks_like_start(head_, direction_) == Likeness::maybe; }

  /// Whether `bytes`, from the middle of a stream, begin with a message of `direction`:
  /// its whole start line.
  static bool begins_message(Bytes bytes, Direction direction) {
    return is_start_line(as_text(bytes), direction) == Likeness::yes;
  }

 private:
  enum class State : std::uint8_t {
    idle,  // before a message
    head,
    body,  // of `remaining_` bytes
    chunk_data,
    until_close,
    tunnel,
    chunk_size,  // RFC 9112, section 7.1
    chunk_extension,
    chunk_end,  // the line end after a chunk
    trailer,
    lost,
    stopped,
  };
  static constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();

  bool in_content() const { return state_ >= State::body && state_ <= State::until_close; }
  bool in_body() const { return in_content() || state_ == State::tunnel; }

  /// Whether a message begins with `bytes`, where others may come as well.
  bool is_start(Bytes bytes) const {
    Likeness likeness;
    return find_start_line(as_text(bytes), direction_, false, likeness) == 0 && likeness == Likeness::yes;
  }

  template <class Handler>
  void tell_body(std::uint64_t count, bool missing, Handler& handler) {
    if (state_ == State::tunnel) return handler.on_tunnel(direction_, count, missing);
    handler.on_bytes(direction_, count, count);
    if (missing) handler.on_not_captured(direction_, count);
  }

  /// Lost: passes over what comes before the next start line.
  template <class Handler>
  [[gnu::noinline]] void find_start(Bytes& bytes, Handler& handler) {
    if (!head_.empty()) return try_held(bytes, handler);
    Likeness likeness;
    const std::size_t at = find_start_line(as_text(bytes), direction_, handler.may_begin_inside(direction_), likeness);
    const std::size_t passed = std::min(at, bytes.size());
    if (passed != 0) handler.on_stray(direction_, passed, false);
    bytes = bytes.subspan(passed);
    if (likeness == Likeness::yes) {
      state_ = State::idle;
    } else if (!bytes.empty()) {
      handler.on_held(direction_);
      head_.assign(as_text(bytes));
      bytes = {};
    }
  }

  /// The end of the last piece may have been a part of a start line.
  template <class Handler>
  void try_held(Bytes& bytes, Handler& handler) {
    const std::size_t before = head_.size();
    head_.append(as_text(bytes.first(std::min(bytes.size(), kMaxHeadBytes))));
    const Likeness likeness = is_start_line(head_, direction_);
    if (likeness == Likeness::maybe && head_.size() <= kMaxHeadBytes) {
      bytes = {};
      return;
    }
    head_.resize(before);
    if (likeness != Likeness::yes) return let_go(handler);
    state_ = State::head;
    first_ = false;
    handler.on_begin(direction_, offset_ - bytes.size() - before, true);
    handler.on_bytes(direction_, before, 0);
  }

  /// What was held is none.
  template <class Handler>
  void let_go(Handler& handler) {
    if (head_.empty()) return;
    handler.on_stray(direction_, head_.size(), false);
    head_.clear();
  }

  template <class Handler>
  void take_idle(Bytes& bytes, Handler& handler) {
    // A client may send empty lines before its request (RFC 9112, section 2.2).
    std::size_t empty = 0;
    while (empty < bytes.size() && (bytes[empty] == '\r' || bytes[empty] == '\n')) ++empty;
    bytes = bytes.subspan(empty);
    if (bytes.empty()) return;
    state_ = State::head;
    first_ = offset_ == bytes.size();
    handler.on_begin(direction_, offset_ - bytes.size(), false);
  }

  template <class Handler>
  void take_head(Bytes& bytes, Handler& handler) {
    const auto head = head_.empty() ? parse_head(as_text(bytes), direction_) : std::nullopt;
    if (!head || head->size > kMaxHeadBytes) [[unlikely]]
      return take_odd_head(bytes, head, handler);
    // It begins and ends in this piece, as nearly all do.
    handler.on_bytes(direction_, head->size, 0);
    bytes = bytes.subspan(head->size);
    end_head(*head, bytes, handler);
  }

  /// Its body is what follows.
  template <class Handler>
  void end_head(const Head& head, const Bytes& bytes, Handler& handler) {
    begin_body(handler.on_head(direction_, head), handler);
    // More of this piece tells that, too.
    if (!bytes.empty() && std::exchange(doubtful_, false) && is_start(bytes)) end_message(handler);
  }

  /// One that comes in pieces, or is none; `seen_first` is what of it is in this piece, if that begins it.
  template <class Handler>
  [[gnu::noinline]] void take_odd_head(Bytes& bytes, const std::optional<Head>& seen_first, Handler& handler) {
    std::optional<Head> head = seen_first;
    const std::size_t before = head_.size();
    if (before != 0) head_.append(as_text(bytes.first(std::min(bytes.size(), kMaxHeadBytes))));
    const std::string_view seen = before != 0 ? std::string_view(head_) : as_text(bytes);
    const bool may_be_simple = first_ && direction_ == Direction::to_server && !head;
    if (may_be_simple && is_simple_request(seen)) return take_simple(bytes, seen, before, handler);
    const std::size_t end = head ? head->size : find_head_end(seen, before < 2 ? 0 : before - 2);
    const bool whole = end != std::string_view::npos;
    if (whole && before != 0) head = parse_head(seen.substr(0, end), direction_);
    const bool too_long = (whole ? end : seen.size()) > kMaxHeadBytes;
    const std::size_t taken = too_long ? kMaxHeadBytes - before : whole ? end - before : bytes.size();
    const bool is_none = whole ? !head : is_start_line(seen, direction_) == Likeness::no;
    if (is_none && direction_ == Direction::to_client && handler.is_headless(direction_))
      return take_headless(bytes, before, handler);
    handler.on_bytes(direction_, taken, 0);
    if (is_none) return reject(handler);
    bytes = bytes.subspan(taken);
    if (too_long) return end_unseen(seen, handler);
    if (!whole) {
      if (before == 0) head_.assign(seen);
      return;
    }
    end_head(*head, bytes, handler);
    head_.clear();
  }

  /// A head that is too long to be kept: its fields are not known, nor its end.
  template <class Handler>
  void end_unseen(std::string_view seen, Handler& handler) {
    const auto head = parse_cut_head(seen, direction_);
    if (!head) return reject(handler);
    handler.on_start_line(direction_, *head);
    lose(handler);
  }

  /// A request of HTTP/0.9 is one line, and the connection's last.
  template <class Handler>
  void take_simple(Bytes& bytes, std::string_view seen, std::size_t before, Handler& handler) {
    const std::size_t end = seen.find('\n') + 1;
    handler.on_bytes(direction_, end - before, 0);
    handler.on_head(direction_, parse_simple_request(seen));
    head_.clear();
    end_message(handler);
    stop();
    bytes = {};
  }

  /// An answer of HTTP/0.9 is what comes until the end.
  template <class Handler>
  void take_headless(Bytes& bytes, std::size_t before, Handler& handler) {
    state_ = State::until_close;
    remaining_ = kEndless;
    handler.on_bytes(direction_, bytes.size(), before + bytes.size());
    head_.clear();
    bytes = {};
  }

  template <class Handler>
  void begin_body(const Framing& framing, Handler& handler) {
    remaining_ = framing.length;
    doubtful_ = framing.doubtful && (framing.kind != Framing::Kind::length || framing.length != 0);
    if (framing.kind == Framing::Kind::length) [[likely]] {
      state_ = State::body;
      if (remaining_ == 0) end_message(handler);
    } else {
      begin_odd_body(framing.kind, handler);
    }
  }

  /// One whose length is not told beforehand, if there is one.
  template <class Handler>
  [[gnu::noinline]] void begin_odd_body(Framing::Kind kind, Handler& handler) {
    switch (kind) {
      case Framing::Kind::length: break;
      case Framing::Kind::chunked: begin_chunk_size(); break;
      case Framing::Kind::until_close:
        state_ = State::until_close;
        remaining_ = kEndless;
        break;
      case Framing::Kind::tunnel:
        end_message(handler);
        begin_tunnel();
        break;
      case Framing::Kind::unknown: lose(handler); break;
    }
  }

  template <class Handler>
  void take_body(Bytes& bytes, Handler& handler) {
    const std::uint64_t taken = std::min<std::uint64_t>(bytes.size(), remaining_);
    tell_body(taken, false, handler);
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
    handler.on_bytes(direction_, taken, 0);
    bytes = bytes.subspan(taken);
    if (state_ == State::idle) handler.on_end(direction_);
    if (state_ == State::lost) handler.on_lost(direction_);
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
    handler.on_end(direction_);
  }

  template <class Handler>
  void reject(Handler& handler) {
    state_ = State::lost;
    head_.clear();
    handler.on_garbage(direction_);
  }

  template <class Handler>
  void lose(Handler& handler) {
    state_ = State::lost;
    head_.clear();
    handler.on_lost(direction_);
  }

  State state_;
  Direction direction_;
  bool doubtful_ = false;         // the next piece tells whether there is a body
  bool first_ = false;            // the message is its stream's first
  std::uint32_t line_bytes_ = 0;  // of a chunk's size digits, or a trailer line
  std::uint64_t offset_;          // in the stream, of the end of what was fed
  std::uint64_t remaining_ = 0;   // of the body or chunk; while a size is read, the size so far
  std::pmr::string head_;         // a head that came in pieces, so far
};

}  // namespace wirelap::http1
