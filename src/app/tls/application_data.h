// tls: which records of type application_data belong to turns.
//
// In: records of that type, by their length and by what their segments
// acknowledge. Out: turns.
//
// TLS 1.3 gives its own messages the same type: session tickets, key updates and
// alerts, here called control records. They are recognized by their place among the
// other records and, where that is not enough, by their length. A record is
// undecided until later records show what it is.
#pragma once

#include <cstdint>
#include <optional>

#include "app/tls/record.h"
#include "app/tls/session.h"
#include "exchange/turns.h"
#include "flow/stream.h"

namespace wirelap::tls {

// Lengths of encrypted TLS 1.3 records. Each contains a handshake header or an alert, the rest of the message, the
// content type and a tag, which has 16 bytes in all cipher suites but one (RFC 8446, section 5.2).
inline constexpr std::uint16_t kOverhead = 1 + 16;
inline constexpr std::uint16_t kAlertLength = 2 + kOverhead;
inline constexpr std::uint16_t kKeyUpdateLength = kHandshakeHeaderBytes + 1 + kOverhead;

/// What a record contains.
enum class RecordKind : std::uint8_t {
  ignored,        ///< an alert, a session ticket or another message that belongs to no turn
  hello,          ///< a part of a ClientHello or ServerHello
  handshake,      ///< another part of the handshake
  finished,       ///< the Finished of its sender
  undecided,      ///< application data or a control record: later records decide
  present_turn,   ///< application data of the present turn
  previous_turn,  ///< application data of the turn before the present one
};

/// Where a record begins.
struct RecordStart {
  std::uint64_t offset = 0;  ///< of its first byte in its stream
  Arrival arrival;           ///< of that byte
};

class ApplicationData {
 public:
  /// `log` and `session` outlive it. `from_start`: at least a part of the connection's handshake was captured.
  ApplicationData(ExchangeLog& log, Session& session, bool from_start)
      : log_(log), session_(session), turns_(log, "tls", true), tickets_due_(from_start), from_start_(from_start) {}

  Turns& turns() { return turns_; }
  const Turns& turns() const { return turns_; }

  /// Classifies a record of the client that comes after the handshake or as early data. Begins a turn where needed.
  RecordKind classify_request(const RecordStart& start, std::uint16_t length);
  /// Classifies a record of the server that comes after the handshake or that answers early data.
  RecordKind classify_response(const RecordStart& start, std::uint16_t length);

  /// Classifies `bytes` that are in no known record: they were not captured, or passed while the parser was out of
  /// sync.
  RecordKind classify_unparsed(Direction direction, const RecordStart& start, std::uint64_t bytes, bool not_captured);

  /// Counts `bytes` of a record for its turn. `body` of them are not TLS's own.
  void count(Direction direction, RecordKind kind, const Arrival& arrival, std::uint64_t bytes, std::uint64_t body,
             bool not_captured);

  /// Sums up the turns whose answers grew at `time`. To be called when the server's bytes that came then are counted.
  void sum_up(Nanos time);

  /// Gives the present turn the version and the protocol that the hellos have shown so far.
  void label_present_turn();

  /// Whether the sender of `direction` may have sent an alert: its latest undecided record was as long as one.
  bool may_have_alerted(Direction direction) const { return undecided(direction).length == kAlertLength; }
  /// Decides on the undecided records: nothing more comes. Those at the end are control records.
  void decide_at_end();

 private:
  /// The undecided records of one direction. They have the same length. The connection's counts and causes at their
  /// start are kept, since a turn may begin there.
  struct Undecided {
    int records = 0;
    std::uint16_t length = 0;  // of each
    RecordStart start;         // of the first one
    std::uint64_t bytes = 0, body_bytes = 0;
    Nanos last = kUnknownTime;  // when their latest byte arrived
    TcpCounts counts;
    CauseTimes causes;
  };

  Undecided& undecided(Direction direction) { return undecided_[index(direction)]; }
  const Undecided& undecided(Direction direction) const { return undecided_[index(direction)]; }
  bool has_undecided(Direction direction) const { return undecided(direction).records != 0; }
  bool has_undecided(Direction direction, std::uint16_t length) const {
    return has_undecided(direction) && undecided(direction).length == length;
  }
  RecordKind defer(Direction direction, const RecordStart& start, std::uint16_t length);
  void accept(Direction direction);
  void drop(Direction direction) { undecided(direction).records = 0; }
  bool drop_key_updates();
  void decide_request_before_request();
  void decide_request_before_response(const Arrival& arrival);
  void decide_response(bool data_follows);

  bool may_be_tls13() const { return !session_.is_tls12(); }
  bool is_first(const Exchange& turn) const { return turn.number == first_number_; }
  bool begins_turn(const Arrival& arrival) const;
  bool begins_response() const;
  bool expects_ticket() const;
  std::optional<RecordKind> classify_early_response(const Arrival& arrival) const;
  void begin_turn(const RecordStart& start, const Undecided* from);
  void begin_first_turn(Exchange& turn, const Arrival& arrival, const CauseTimes& causes);
  bool begin_unasked_turn(const RecordStart& start, std::uint16_t length);
  void begin_response(const RecordStart& start);

  ExchangeLog& log_;
  Session& session_;
  Turns turns_;
  Undecided undecided_[2];          // by Direction
  std::uint64_t first_number_ = 0;  // of the first turn; 0: none has begun
  bool tickets_due_;                // TLS 1.3: session tickets may come before the first response
  bool from_start_;
};

}  // namespace wirelap::tls
