// tls: the turns of one TLS connection as exchanges.
//
// In: the bytes of both directions in order, with their arrivals, and sequence
// gaps. Out: exchanges. Each is a turn: application data of the client, and what the
// server sent then. Nothing is decrypted.
//
// In TLS 1.3 most records of the handshake have the type application_data, too. They
// are recognized by their place among the other records and, where that is not
// enough, by their length. app/tls/application_data.h makes turns of the records
// after the handshake.
//
// TLS may begin after other bytes in clear text (STARTTLS), and the capture may
// begin after the handshake. Then turns have no name or version.
#pragma once

#include <cstdint>
#include <string>

#include "app/analyzer.h"
#include "app/tls/application_data.h"
#include "app/tls/record_parser.h"
#include "app/tls/session.h"

namespace wirelap::tls {

class Analyzer : public wirelap::Analyzer {
 public:
  /// A longer hello is ignored: its connection has no name.
  static constexpr std::size_t kMaxHelloBytes = 16 * 1024;

  /// Finds a ClientHello anywhere in the client's stream, a ServerHello at the start of the server's, or, in the middle
  /// of a connection, whole records of application data from the likely client.
  static Probe probe(const Opening& opening);

  Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);
  void gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void finish(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const;
  std::size_t held_bytes() const { return sizeof *this + log_.held_bytes(); }
  Verdict verdict() const { return not_tls_ ? Verdict::not_mine : Verdict::mine; }

  /// ProtocolVersion as far as it is known; otherwise 0.
  std::uint16_t version() const { return session_.version; }

 private:
  friend class RecordParser;  // which calls these functions
  void on_begin(Direction direction, std::uint64_t offset);
  void on_record(Direction direction, ContentType type, std::uint16_t length);
  void on_fragment(Direction direction, Bytes bytes);
  void on_skipped(Direction direction, std::uint64_t count, bool not_captured);
  void on_end(Direction direction);
  void on_unparsed(Direction direction, std::uint64_t offset, std::uint64_t count, bool not_captured);

  /// One direction.
  struct DirectionState {
    DirectionState(Direction direction, std::uint64_t offset, bool in_sync, std::pmr::memory_resource* memory)
        : parser(direction, offset, in_sync), hello(memory) {}

    RecordParser parser;
    RecordStart start;                      // of the present record
    RecordKind kind = RecordKind::ignored;  // of the present record
    std::pmr::string hello;                 // the bytes of an incomplete hello
    bool hello_over = false;                // the hello was decoded, or will not be
    bool cipher_changed = false;            // TLS 1.2: a ChangeCipherSpec was sent
    bool is_closing = false;                // an alert or FIN was sent
  };

  DirectionState& state(Direction direction) { return states_[index(direction)]; }
  const DirectionState& state(Direction direction) const { return states_[index(direction)]; }
  DirectionState& client() { return state(Direction::to_server); }
  DirectionState& server() { return state(Direction::to_client); }
  bool& finished(Direction direction) { return session_.finished[index(direction)]; }

  RecordKind classify(Direction direction, ContentType type, std::uint16_t length);
  RecordKind classify_client_data(std::uint16_t length);
  RecordKind classify_server_data(std::uint16_t length);
  bool is_finished_length(std::uint16_t length) const;

  void add_to_hello(Direction direction, Bytes bytes);
  void decode_hello(Direction direction, Bytes body);
  static void give_up_hello(DirectionState& state);
  void record_handshake_gap(Direction direction);

  void count(Direction direction, std::uint64_t bytes, std::uint64_t body, bool not_captured) {
    data_.count(direction, state(direction).kind, arrival_, bytes, body, not_captured);
  }
  void end_turns(Outcome outcome, Nanos time);
  CauseTimes causes_now() const { return view().causes_until(arrival_.time); }

  Session session_;
  ApplicationData data_;
  DirectionState states_[2];  // by Direction
  Arrival arrival_;           // of the bytes that are being fed
  bool not_tls_ = false;      // the bytes are of another protocol
  bool is_over_ = false;      // no turn follows
  /// TLS 1.3: offset of the first encrypted handshake record of the client.
  std::uint64_t client_handshake_begin_ = StreamPosition::kNever;
};

}  // namespace wirelap::tls
