// tls: the turns of one TLS connection as exchanges.
//
// In: both streams' bytes in order, with their arrivals, and holes. Out:
// exchanges: each is a turn, application data of the client and what the server
// sent then. Nothing is decrypted.
//
// What the client sent before it had a byte of the answer belongs to the same
// turn, and what the server sent before it had a byte of a turn to the one
// before: the acknowledgment numbers say so wherever the capture was made.
//
// TLS 1.3 gives most of the handshake, session tickets, key updates and alerts
// the type of application data. They are told by where they stand and, where
// that leaves a choice, by their length.
#pragma once

#include <cstdint>
#include <string>

#include "flow/connection.h"
#include "flow/stream.h"
#include "http/exchanges.h"
#include "tls/hello.h"
#include "tls/record.h"

namespace wirelap::tls {

class Conversation : public Attachment {
 public:
  /// A longer hello is given up: its connection has no name.
  static constexpr std::size_t kMaxHelloBytes = 16 * 1024;

  /// `connection` and `pool` outlive the conversation.
  Conversation(const Connection& connection, http::ExchangePool& pool);

  /// The next bytes of the stream of `role`.
  void feed(Role role, const Chunk& chunk, const Arrival& arrival);

  /// The stream's next `count` bytes are `missing` from the capture, or are
  /// bytes of a record that were not kept.
  void skip(Role role, std::uint64_t count, bool missing, const Arrival& arrival);

  /// The stream has ended with FIN.
  void finish(Role role, const Arrival& arrival);

  /// Nothing more comes; the last exchange ends with `outcome`, unless it was over.
  void end(http::Outcome outcome, Nanos time);

  std::uint64_t skippable(Role role) const;

  /// Where its exchanges begin and end up.
  http::Exchanges& exchanges() { return exchanges_; }

  /// Whether TLS may begin with `bytes`, which are the next of the stream that
  /// `sender` sends on a connection without a conversation. Settles who is the
  /// client where the connection's opening did not.
  static bool may_begin(Connection& connection, Side sender, Bytes bytes);

  /// True when what was taken for TLS turned out to be something else.
  bool is_not_tls() const { return not_tls_; }

  /// The version, as far as it is known; 0: not at all.
  std::uint16_t version() const { return version_; }
  /// The application's protocol (RFC 7301): selected, or in TLS 1.3 the one
  /// offered first, since the selection is encrypted. Empty: none.
  const std::string& protocol() const { return protocol_; }
  /// The handshake from its first to its last byte; kUnknownTime where it was not seen whole.
  Nanos handshake_duration() const { return Handshake::between(first_, last_); }

 private:
  friend class RecordParser;  // calls the events below
  void on_begin(Role role, std::uint64_t offset);
  void on_record(Role role, ContentType type, std::uint16_t length);
  void on_fragment(Role role, Bytes bytes);
  void on_skipped(Role role, std::uint64_t count, bool missing);
  void on_end(Role role);
  void on_stray(Role role, std::uint64_t offset, std::uint64_t count, bool missing);

  /// What the bytes of a record belong to.
  enum class Place : std::uint8_t {
    nothing,   // alerts, tickets and the like
    hello,     // collected
    flight,    // the rest of the handshake
    finished,  // the Finished
    held,      // not known yet
    turn,      // the present turn
    previous,  // the turn before
  };

  /// Records that may be application data, or none. What is known of the
  /// connection at their start is kept: a turn may have begun there.
  struct Held {
    int records = 0;
    std::uint16_t length = 0;  // of each
    Arrival arrival;           // of the first byte
    http::Message message;
    TcpCounts counts;
    Spent spent;
  };

  /// One stream.
  struct Direction {
    Direction(Role role, std::uint64_t offset) : parser(role, offset) {}

    RecordParser parser;
    Place place = Place::nothing;
    bool hello_over = false;  // it was seen, or given up
    bool ciphered = false;    // TLS 1.2: ChangeCipherSpec was seen
    bool finished = false;    // all of its handshake was sent
    bool closing = false;     // an alert or FIN was seen
    bool holed = false;       // records were lost in the handshake
    std::uint64_t begin = 0;  // offset of the present record
    Arrival arrival;          // of its first byte
    std::string hello;        // its bytes so far
    Held held;
  };

  bool is_tls13() const { return version_ >= kTls13; }  // or a draft of it
  bool is_tls12() const { return version_ != 0 && !is_tls13(); }
  Direction& direction(Role role) { return directions_[static_cast<int>(role)]; }
  const Direction& direction(Role role) const { return directions_[static_cast<int>(role)]; }
  Direction& client() { return direction(Role::request); }
  Direction& server() { return direction(Role::response); }
  bool is_established() const { return directions_[0].finished && directions_[1].finished; }

  Place place_of(Role role, ContentType type, std::uint16_t length);
  Place place_of_client_data(std::uint16_t length);
  Place place_of_server_data(std::uint16_t length);
  Place place_of_request(std::uint16_t length);
  Place place_of_response(std::uint16_t length);
  bool is_finished_length(std::uint16_t length) const;

  void take_hello(Role role, Bytes bytes);
  void decode_hello(Role role, Bytes body);
  static void give_up_hello(Direction& direction);
  void lose_handshake(Role role);
  void end_handshake();

  bool begins_turn(const Arrival& arrival) const;
  void begin_turn(const Arrival& arrival, std::uint64_t offset, const Held* held);
  void begin_first_turn(const Arrival& arrival, const Spent& spent);
  void begin_response(const Arrival& arrival, std::uint64_t offset);
  static void begin_message(http::Message& message, const Arrival& arrival, std::uint64_t offset);
  void close_previous();

  Place hold(Role role, std::uint16_t length);
  bool holds(Role role, std::uint16_t length) const;
  void drop(Role role) { direction(role).held.records = 0; }
  void commit(Role role);
  bool drop_key_updates();
  void settle_response(bool more);

  void count(Role role, std::uint64_t bytes, std::uint64_t body, bool missing);
  void sum_up_answered();
  Spent spent_now() const { return connection_.timing->spent_until(arrival_.time, connection_.client); }

  const Connection& connection_;
  http::Exchanges exchanges_;
  Direction directions_[2];  // by Role
  Arrival arrival_;          // of the bytes being fed
  http::Exchange* turn_ = nullptr;
  http::Exchange* previous_ = nullptr;  // the turn before, while the server may not have seen the present one
  std::string host_, protocol_;
  std::uint16_t version_ = 0;
  std::uint16_t cipher_suite_ = 0;
  bool early_data_ = false;  // the client's data may follow its hello
  bool resumed_ = false;     // by a pre-shared key
  bool tickets_due_ = true;  // TLS 1.3: the server's data may still begin with tickets
  bool holed_ = false;       // the handshake's end was not seen
  bool not_tls_ = false;
  bool over_ = false;
  std::uint64_t flight_begin_ = Stream::kNever;  // offset of the client's first encrypted record of the handshake
  Nanos first_ = kUnknownTime;                   // the handshake's first byte
  Nanos latest_ = kUnknownTime;                  // its latest byte
  Nanos last_ = kUnknownTime;                    // its last byte, when it is over
  Nanos max_gap_ = 0;                            // between two of its packets
  Spent spent_before_, spent_latest_;            // the connection's at first_ and latest_
};

}  // namespace wirelap::tls
