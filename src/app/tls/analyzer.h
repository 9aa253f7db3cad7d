// tls: the turns of one TLS connection as exchanges.
//
// In: both streams' bytes in order, with their arrivals, and holes. Out:
// exchanges: each is a turn, application data of the client and what the server
// sent then. Nothing is decrypted.
//
// TLS 1.3 gives most of the handshake the type of application data, too: it is
// told by where it stands and, where that leaves a choice, by its length. What
// is application data makes turns (tls/data.h).
//
// TLS may begin after words in clear (STARTTLS), and the capture after the
// handshake: then turns are told all the same, without a name or a version.
#pragma once

#include <cstdint>
#include <string>

#include "app/analyzer.h"
#include "app/tls/application_data.h"
#include "app/tls/record.h"
#include "app/tls/session.h"

namespace wirelap::tls {

class Analyzer : public wirelap::Analyzer {
 public:
  /// A longer hello is given up: its connection has no name.
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

  /// The version, as far as it is known; 0: not at all.
  std::uint16_t version() const { return session_.version; }
  /// The application's protocol (RFC 7301): selected, or in TLS 1.3 the one
  /// offered first, since the selection is encrypted. Empty: none.
  const Text& protocol() const { return session_.protocol; }
  /// The handshake from its first to its last byte; kUnknownTime where it was not seen whole.
  Nanos handshake_duration() const { return Handshake::between(session_.first, session_.last); }

 private:
  friend class RecordParser;  // calls the events below
  void on_begin(Direction direction, std::uint64_t offset);
  void on_record(Direction direction, ContentType type, std::uint16_t length);
  void on_fragment(Direction direction, Bytes bytes);
  void on_skipped(Direction direction, std::uint64_t count, bool missing);
  void on_end(Direction direction);
  void on_stray(Direction direction, std::uint64_t offset, std::uint64_t count, bool missing);

  /// One stream.
  struct DirectionState {
    DirectionState(Direction direction, std::uint64_t offset, bool in_sync, std::pmr::memory_resource* memory)
        : parser(direction, offset, in_sync), hello(memory) {}

    RecordParser parser;
    Place place = Place::nothing;
    bool hello_over = false;  // it was seen, or given up
    bool ciphered = false;    // TLS 1.2: ChangeCipherSpec was seen
    bool closing = false;     // an alert or FIN was seen
    Start start;              // of the present record
    std::pmr::string hello;   // its bytes so far
  };

  DirectionState& state(Direction direction) { return states_[static_cast<int>(direction)]; }
  const DirectionState& state(Direction direction) const { return states_[static_cast<int>(direction)]; }
  DirectionState& client() { return state(Direction::to_server); }
  DirectionState& server() { return state(Direction::to_client); }
  bool has_lost(Direction direction) const { return session_.lost[static_cast<int>(direction)]; }
  bool& finished(Direction direction) { return session_.finished[static_cast<int>(direction)]; }

  Place place_of(Direction direction, ContentType type, std::uint16_t length);
  Place place_of_client_data(std::uint16_t length);
  Place place_of_server_data(std::uint16_t length);
  bool is_finished_length(std::uint16_t length) const;

  void take_hello(Direction direction, Bytes bytes);
  void decode_hello(Direction direction, Bytes body);
  static void give_up_hello(DirectionState& state);
  void lose_handshake(Direction direction);

  void count(Direction direction, std::uint64_t bytes, std::uint64_t body, bool missing) {
    data_.count(direction, state(direction).place, arrival_, bytes, body, missing);
  }
  void end_turns(Outcome outcome, Nanos time);
  CauseTimes causes_now() const { return view().causes_until(arrival_.time); }

  Session session_;
  ApplicationData data_;
  DirectionState states_[2];  // by Direction
  Arrival arrival_;           // of the bytes being fed
  bool not_tls_ = false;
  bool over_ = false;
  std::uint64_t flight_begin_ =
      StreamPosition::kNever;  // offset of the client's first encrypted record of the handshake
};

}  // namespace wirelap::tls
