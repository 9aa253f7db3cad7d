// http1: one direction of an HTTP/1 connection, as a resumable parser (RFC 9112).
//
// In: a stream's bytes in order, in pieces of any size, and gaps. Out: events
// through an inlined handler. The parser does not know TCP or time. It only counts
// the bytes of a body of known length.
//
// The parser is lost where the beginning of the next message is not known: after a
// gap that hides where a message ends, or after bytes that are not a message. It then
// searches the following bytes for the start line of a message.
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

/// Parses the messages of one direction. `Handler` has:
///
///     void on_begin(Direction, std::uint64_t offset, bool held);
///         A message begins at this offset of its stream. `held`: its first byte came at the latest on_held().
///     void on_held(Direction);
///         Bytes are held back, since a message may begin with them.
///     Framing on_head(Direction, const Head&);
///         The head is whole. Returns how the body ends.
///     void on_start_line(Direction, const Head&);
///         The start line of a head whose rest was not captured.
///     void on_bytes(Direction, std::uint64_t count, std::uint64_t body);
///         `count` more bytes of the message, `body` of them content.
///     void on_not_captured(Direction, std::uint64_t count);
///         `count` of the bytes of the latest on_bytes() were not captured.
///     void on_end(Direction);
///         The message is complete.
///     void on_sync_lost(Direction);
///         A gap or bad framing hides where the message ends, or where the next one begins.
///     void on_unparsed(Direction, std::uint64_t count, bool not_captured);
///         Bytes were passed over while the parser was lost.
///     void on_tunnel(Direction, std::uint64_t count, bool not_captured);
///         Bytes came after the message that began a tunnel.
///     void on_garbage(Direction);
///         The bytes since on_begin() are not an HTTP/1 message.
///     bool is_headless(Direction);
///         Whether the bytes since on_begin() may be a response without a head (HTTP/0.9).
///     bool may_begin_inside(Direction);
///         Whether a lost parser may find a message inside a piece, and not only at its start.
class Parser {
 public:
  /// A longer head is not parsed.
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;

  /// The first byte fed has offset `offset` in its stream. `is_in_sync`: a message begins there. Heads that come in
  /// pieces are kept in `memory`.
  Parser(Direction direction, std::uint64_t offset, bool is_in_sync,
         std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : state_(is_in_sync ? State::idle : State::lost), direction_(direction), offset_(offset), head_(memory) {}

  /// Parses the stream's next bytes.
  template <class Handler>
  void feed(Bytes bytes, Handler& handler) {
    offset_ += bytes.size();
    if (std::exchange(doubtful_, false) && is_start(bytes)) [[unlikely]]
      end_message(handler);
    while (!bytes.empty() && state_ != State::stopped) {
      switch (state_) {
        case State::lost: find_start(bytes, handler); break;
        case State::idle:
          begin_message(bytes, handler);
          if (bytes.empty()) break;
          [[fallthrough]];
        case State::head: process_head(bytes, handler); break;
        case State::body:
        case State::chunk_data:
        case State::until_close:
        case State::tunnel: process_body(bytes, handler); break;
        default: process_chunk_framing(bytes, handler); break;
      }
    }
  }

  /// The fast path of feed(): passes the next `count` bytes if they are content and more content follows. The caller
  /// counts them. Otherwise returns false and does nothing.
  bool pass_content(std::uint64_t count) {
    if (!in_content() || count >= remaining_ || doubtful_) return false;
    offset_ += count;
    if (remaining_ != kEndless) remaining_ -= count;
    return true;
  }

  /// Passes the next `count` bytes of the stream. They were not captured or, where `not_captured` is false, are
  /// skippable.
  template <class Handler>
  void skip(std::uint64_t count, bool not_captured, Handler& handler) {
    offset_ += count;
    doubtful_ = false;
    while (count != 0 && in_body()) {
      const std::uint64_t passed = std::min(count, remaining_);
      report_body(passed, not_captured, handler);
      count -= passed;
      pass_body(passed, handler);
    }
    if (count == 0 || state_ == State::stopped) return;
    if (state_ == State::lost) {
      release_held(handler);
      return handler.on_unparsed(direction_, count, not_captured);
    }
    reveal_start_line(handler);
    if (state_ != State::idle) {
      handler.on_bytes(direction_, count, 0);
      handler.on_not_captured(direction_, count);
    }
    lose(handler);
  }

  /// Ends the stream. A body that lasts until then is complete.
  template <class Handler>
  void finish(Handler& handler) {
    if (state_ == State::until_close) end_message(handler);
  }

  /// Reports all bytes from here on by on_tunnel().
  void begin_tunnel() {
    state_ = State::tunnel;
    remaining_ = kEndless;
  }

  /// Records that the present message may have no body after all: the next piece decides.
  void doubt_body() { doubtful_ = in_body() || state_ == State::chunk_size; }

  /// Ignores the bytes from here on.
  void stop() { state_ = State::stopped; }

  /// Reports the start line of a head whose rest does not come.
  template <class Handler>
  void reveal_start_line(Handler& handler) {
    if (state_ != State::head) return;
    if (const auto head = parse_cut_head(head_, direction_)) handler.on_start_line(direction_, *head);
  }

  /// Memory that it holds, in bytes.
  std::size_t held_bytes() const { return head_.capacity(); }

  /// How many of the next bytes need not be fed, because only their number matters.
  std::uint64_t skippable() const { return in_body() && !doubtful_ ? remaining_ : 0; }

  bool lost() const { return state_ == State::lost; }
  /// Whether the bytes of the present message end inside its method or version, so that it may be no message.
  bool is_undecided() const { return state_ == State::head && looks_like_start(head_, direction_) == Likeness::maybe; }

  /// Whether `bytes`, from the middle of a stream, begin with the whole start line of a message.
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

  /// Whether `bytes` begin with the whole start line of a message with a registered method or an HTTP version.
  bool is_start(Bytes bytes) const {
    Likeness likeness;
    return find_start_line(as_text(bytes), direction_, false, likeness) == 0 && likeness == Likeness::yes;
  }

  template <class Handler>
  void report_body(std::uint64_t count, bool not_captured, Handler& handler) {
    if (state_ == State::tunnel) return handler.on_tunnel(direction_, count, not_captured);
    handler.on_bytes(direction_, count, count);
    if (not_captured) handler.on_not_captured(direction_, count);
  }

  /// While lost: passes the bytes before the next start line.
  template <class Handler>
  [[gnu::noinline]] void find_start(Bytes& bytes, Handler& handler) {
    if (!head_.empty()) return try_held(bytes, handler);
    Likeness likeness;
    const std::size_t at = find_start_line(as_text(bytes), direction_, handler.may_begin_inside(direction_), likeness);
    const std::size_t passed = std::min(at, bytes.size());
    if (passed != 0) handler.on_unparsed(direction_, passed, false);
    bytes = bytes.subspan(passed);
    if (likeness == Likeness::yes) {
      state_ = State::idle;
    } else if (!bytes.empty()) {
      handler.on_held(direction_);
      head_.assign(as_text(bytes));
      bytes = {};
    }
  }

  /// While lost: tests whether the bytes held back, the end of the last piece, begin a start line that goes on here.
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
    if (likeness != Likeness::yes) return release_held(handler);
    state_ = State::head;
    first_ = false;
    handler.on_begin(direction_, offset_ - bytes.size() - before, true);
    handler.on_bytes(direction_, before, 0);
  }

  /// Reports the bytes held back by on_unparsed(): they do not begin a message.
  template <class Handler>
  void release_held(Handler& handler) {
    if (head_.empty()) return;
    handler.on_unparsed(direction_, head_.size(), false);
    head_.clear();
  }

  template <class Handler>
  void begin_message(Bytes& bytes, Handler& handler) {
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
  void process_head(Bytes& bytes, Handler& handler) {
    const auto head = head_.empty() ? parse_head(as_text(bytes), direction_) : std::nullopt;
    if (!head || head->size > kMaxHeadBytes) [[unlikely]]
      return process_unusual_head(bytes, head, handler);
    // Nearly all heads begin and end in one piece.
    handler.on_bytes(direction_, head->size, 0);
    bytes = bytes.subspan(head->size);
    end_head(*head, bytes, handler);
  }

  /// Begins the body that follows a head. `bytes`: the rest of the piece.
  template <class Handler>
  void end_head(const Head& head, const Bytes& bytes, Handler& handler) {
    begin_body(handler.on_head(direction_, head), handler);
    // If there may be no body (doubt_body()), the rest of the piece decides.
    if (!bytes.empty() && std::exchange(doubtful_, false) && is_start(bytes)) end_message(handler);
  }

  /// Processes a head that does not begin and end in this piece, is too long, or is not a head. The bytes of it that
  /// came before are in `head_`:
  ///
  ///     head_      bytes
  ///     [before]  [ .... empty line | body ]
  ///     |-------- seen -------------------|
  ///
  /// `here`: the head as far as `bytes` contain it, if it begins there.
  template <class Handler>
  [[gnu::noinline]] void process_unusual_head(Bytes& bytes, const std::optional<Head>& here, Handler& handler) {
    const std::size_t before = head_.size();
    if (before != 0) head_.append(as_text(bytes.first(std::min(bytes.size(), kMaxHeadBytes))));
    const std::string_view seen = before != 0 ? std::string_view(head_) : as_text(bytes);
    const bool may_be_simple = first_ && direction_ == Direction::to_server && !here;
    if (may_be_simple && is_simple_request(seen)) return process_simple_request(bytes, seen, before, handler);
    // The empty line may begin with the last bytes of the piece before.
    const std::size_t end = here ? here->size : find_head_end(seen, before < 2 ? 0 : before - 2);
    const bool whole = end != std::string_view::npos;
    const std::optional<Head> head = whole && before != 0 ? parse_head(seen.substr(0, end), direction_) : here;
    const bool is_none = whole ? !head : is_start_line(seen, direction_) == Likeness::no;
    if (is_none && direction_ == Direction::to_client && handler.is_headless(direction_))
      return process_headless(bytes, before, handler);
    const bool too_long = (whole ? end : seen.size()) > kMaxHeadBytes;
    const std::size_t count = too_long ? kMaxHeadBytes - before : whole ? end - before : bytes.size();
    handler.on_bytes(direction_, count, 0);
    if (is_none) return reject(handler);
    bytes = bytes.subspan(count);
    if (too_long) return end_unseen(seen, handler);
    if (whole) return end_collected_head(*head, bytes, handler);
    if (before == 0) head_.assign(seen);
  }

  template <class Handler>
  void end_collected_head(const Head& head, const Bytes& bytes, Handler& handler) {
    end_head(head, bytes, handler);
    head_.clear();
  }

  /// Ends a head that is too long to be kept. Its fields and the end of its message are not known.
  template <class Handler>
  void end_unseen(std::string_view seen, Handler& handler) {
    const auto head = parse_cut_head(seen, direction_);
    if (!head) return reject(handler);
    handler.on_start_line(direction_, *head);
    lose(handler);
  }

  /// Processes a request of HTTP/0.9: one line, the last of its connection (RFC 1945, section 5).
  template <class Handler>
  void process_simple_request(Bytes& bytes, std::string_view seen, std::size_t before, Handler& handler) {
    const std::size_t end = seen.find('\n') + 1;
    handler.on_bytes(direction_, end - before, 0);
    handler.on_head(direction_, parse_simple_request(seen));
    head_.clear();
    end_message(handler);
    stop();
    bytes = {};
  }

  /// Processes a response of HTTP/0.9: all bytes until the end (RFC 1945, section 6).
  template <class Handler>
  void process_headless(Bytes& bytes, std::size_t before, Handler& handler) {
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
      begin_other_body(framing.kind, handler);
    }
  }

  /// Begins a body whose length the head does not give, if there is one.
  template <class Handler>
  [[gnu::noinline]] void begin_other_body(Framing::Kind kind, Handler& handler) {
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
  void process_body(Bytes& bytes, Handler& handler) {
    const std::uint64_t passed = std::min<std::uint64_t>(bytes.size(), remaining_);
    report_body(passed, false, handler);
    bytes = bytes.subspan(static_cast<std::size_t>(passed));
    pass_body(passed, handler);
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

  /// Processes chunk framing (RFC 9112, section 7.1) byte by byte: it is short, and may be split anywhere.
  template <class Handler>
  void process_chunk_framing(Bytes& bytes, Handler& handler) {
    std::size_t count = 0;
    while (count < bytes.size() && is_chunk_framing()) process_framing_byte(bytes[count++]);
    handler.on_bytes(direction_, count, 0);
    bytes = bytes.subspan(count);
    if (state_ == State::idle) handler.on_end(direction_);
    if (state_ == State::lost) handler.on_sync_lost(direction_);
  }

  bool is_chunk_framing() const {
    return state_ == State::chunk_size || state_ == State::chunk_extension || state_ == State::chunk_end ||
           state_ == State::trailer;
  }

  void process_framing_byte(std::uint8_t byte) {
    switch (state_) {
      case State::chunk_size: return process_size_byte(byte);
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

  void process_size_byte(std::uint8_t byte) {
    const int digit = byte >= '0' && byte <= '9'                     ? byte - '0'
                      : (byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' ? (byte | 0x20) - 'a' + 10
                                                                     : -1;
    if (digit >= 0 && remaining_ >> 59 == 0) {
      remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
      ++line_bytes_;
    } else if (line_bytes_ == 0 || digit >= 0) {
      state_ = State::lost;  // no number, or one that is too large
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
    handler.on_sync_lost(direction_);
  }

  State state_;
  Direction direction_;
  bool doubtful_ = false;         // the next piece decides whether there is a body
  bool first_ = false;            // the message is its stream's first
  std::uint32_t line_bytes_ = 0;  // of a chunk's size digits, or a trailer line
  std::uint64_t offset_;          // in the stream, of the end of the bytes fed
  std::uint64_t remaining_ = 0;   // of the body or chunk; while a size is read, the size so far
  std::pmr::string head_;         // the bytes so far of a head that comes in pieces, or bytes held back while lost
};

}  // namespace wirelap::http1
