// tls: which records of application data are turns.
//
// In: records of that type, by their length and place. Out: turns. TLS 1.3 gives
// session tickets, key updates and alerts the same type: they are told by where
// they stand and, where that leaves a choice, by their length. A record of which
// it is not known yet is held.
#pragma once

#include <cstdint>

#include "app/tls/session.h"
#include "exchange/turns.h"
#include "flow/stream.h"

namespace wirelap::tls {

// Lengths of encrypted TLS 1.3 records: handshake header or alert, content,
// content type and, in all suites but one, a tag of 16 bytes (RFC 8446, 5.2).
inline constexpr std::uint16_t kOverhead = 1 + 16;
inline constexpr std::uint16_t kAlertLength = 2 + kOverhead;
inline constexpr std::uint16_t kKeyUpdateLength = kHandshakeHeaderBytes + 1 + kOverhead;

/// What the bytes of a record belong to.
enum class Place : std::uint8_t {
  nothing,   ///< alerts, tickets and the like
  hello,     ///< collected
  flight,    ///< the rest of the handshake
  finished,  ///< the Finished
  held,      ///< not known yet
  turn,      ///< the present turn
  previous,  ///< the turn before
};

/// Where a record begins.
struct Start {
  std::uint64_t offset = 0;  ///< of its first byte in its stream
  Arrival arrival;           ///< of that byte
};

class ApplicationData {
 public:
  /// `log` and `session` outlive it. `from_start`: the connection's handshake was seen, or a part of it.
  ApplicationData(ExchangeLog& log, Session& session, bool from_start)
      : log_(log), session_(session), turns_(log, "tls", true), tickets_due_(from_start), from_start_(from_start) {}

  Turns& turns() { return turns_; }
  const Turns& turns() const { return turns_; }

  /// What a record of `length` bytes belongs to, after the handshake or as early data.
  Place place_of_request(const Start& start, std::uint16_t length);
  Place place_of_response(const Start& start, std::uint16_t length);

  /// The same for `bytes` of no known record, `missing` or passed over.
  Place place_of_stray(Direction direction, const Start& start, std::uint64_t bytes, bool missing);

  /// Counts `bytes` that belong to `place`, `body` of them none of TLS's own.
  void count(Direction direction, Place place, const Arrival& arrival, std::uint64_t bytes, std::uint64_t body,
             bool missing);

  /// The server's bytes that came at `time` have been counted.
  void sum_up(Nanos time);

  /// What the hellos say is known now: the turn begun before it has it, too.
  void name_present();

  /// Whether the last record of `direction` may have been an alert.
  bool holds_alert(Direction direction) const { return held(direction).length == kAlertLength; }
  /// Nothing more comes: what is held at the end is control.
  void settle();

 private:
  /// Records that may be application data, or none. What is known of the
  /// connection at their start is kept: a turn may have begun there.
  struct Held {
    int records = 0;
    std::uint16_t length = 0;  // of each
    Start start;               // of the first
    std::uint64_t bytes = 0, body_bytes = 0;
    Nanos last = kUnknownTime;  // when the latest byte was there
    TcpCounts counts;
    CauseTimes causes;
  };

  Held& held(Direction direction) { return held_[static_cast<int>(direction)]; }
  const Held& held(Direction direction) const { return held_[static_cast<int>(direction)]; }
  bool may_be_tls13() const { return !session_.is_tls12(); }
  bool begins_turn(const Arrival& arrival) const;
  /// What the server sends then answers bytes of the client that were not captured, or not yet.
  bool answers_missed(const Arrival& arrival) const {
    return arrival.acknowledged > log_.view().next(Direction::to_server);
  }
  bool is_first(const Exchange& turn) const { return turn.number == first_number_; }
  void begin_turn(const Start& start, const Held* held);
  void begin_first_turn(Exchange& turn, const Arrival& arrival, const CauseTimes& causes);
  void begin_response(const Start& start);

  Place hold(Direction direction, const Start& start, std::uint16_t length);
  bool holds(Direction direction, std::uint16_t length) const;
  void drop(Direction direction) { held(direction).records = 0; }
  void commit(Direction direction);
  bool drop_key_updates();
  void settle_response(bool more);

  ExchangeLog& log_;
  Session& session_;
  Turns turns_;
  Held held_[2];  // by Direction
  std::uint64_t first_number_ = 0;
  bool tickets_due_;  // TLS 1.3: the server's data may still begin with tickets
  bool from_start_;
};

}  // namespace wirelap::tls
