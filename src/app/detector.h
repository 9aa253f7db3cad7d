// app: which analyzer a connection has.
//
// In: connections with the next bytes of a direction. Out: their analyzers. The
// detector makes an analyzer, replaces it where the protocol turns out to be another
// one or changes, and destroys it. Nothing else replaces an analyzer.
#pragma once

#include <cstdint>
#include <vector>

#include "app/registry.h"
#include "flow/connection.h"

namespace wirelap {

/// Gives connections their analyzers, as the connection's attachment.
class Detector {
 public:
  /// `ports`: of the servers that are asked for; empty: all. `tcp`: connections of unknown protocols get the generic
  /// analyzer. `ports` and `pool` outlive the detector.
  Detector(const std::vector<std::uint16_t>& ports, bool tcp, ExchangePool& pool)
      : ports_(ports), tcp_(tcp), pool_(pool) {}

  /// The connection's analyzer; null where it has none.
  static Analyzer* analyzer_of(const Connection& connection) { return static_cast<Analyzer*>(connection.attachment); }

  /// The log of the connection's exchanges; null where it has no analyzer.
  static ExchangeLog* log_of(const Connection& connection) {
    Analyzer* const analyzer = analyzer_of(connection);
    return analyzer != nullptr ? &analyzer->log() : nullptr;
  }

  /// The fast path: feeds `data` if all of it is inside a body, so that no exchange ends and the analyzer stays.
  /// Otherwise returns false and does nothing.
  static bool feed_body(const Connection& connection, Side sender, const StreamData& data, const Arrival& arrival);

  /// Chooses the analyzer for `bytes`, the next of `sender`, before they are fed.
  void choose(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
    if (connection.attachment == nullptr || may_change(connection, sender)) detect(connection, sender, bytes, arrival);
    if (may_be_preface(bytes) && is_upgraded_unseen(connection, sender, bytes)) [[unlikely]]
      upgrade(connection, connection.stream(sender).next, StreamPosition::kNever);
  }

  /// Replaces the analyzer if it has found, in `data` that it was fed, that the connection has another protocol or
  /// switches to one. Returns whether it did. The caller has removed all finished exchanges from its log.
  bool reconsider(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    if (!has_changed(connection)) [[likely]]
      return false;
    change(connection, sender, data, arrival);
    return true;
  }

  /// Replaces an undecided analyzer. The bytes that would decide do not come or, with `not_captured`, were not
  /// captured.
  void give_up_undecided(Connection& connection, const Arrival& arrival, bool not_captured = false) {
    http1::Analyzer* const http1 = as_http1(analyzer_of(connection));
    if (http1 == nullptr || (not_captured && !tcp_)) return;
    if (http1->verdict() == Verdict::undecided || (not_captured && http1->log().count() == 0)) [[unlikely]]
      give_up(*http1, connection, arrival);
  }

  /// Destroys the connection's analyzer. The caller has removed all finished exchanges from its log.
  static void drop(Connection& connection);

  /// Whether the bytes of `sender` are not looked at.
  static bool ignores(const Connection& connection, Side sender) {
    const bool after_greeting = connection.greeted && connection.attachment == nullptr && sender != connection.client;
    return connection.ignored || after_greeting;
  }

  /// The client. Where it is not known, a guess: the server has the port that is asked for, otherwise the lower port;
  /// where both ports are equal, `sender` is the client.
  Side client_of(const Connection& connection, Side sender = Side::low) const;

  /// Whether the server's port is asked for, if `client` is the client.
  bool is_wanted(const Connection& connection, Side client) const;

 private:
  static bool may_change(const Connection& connection, Side sender);
  /// Whether HTTP/2's preface may begin with `bytes`.
  static bool may_be_preface(Bytes bytes) {
    return !bytes.empty() && bytes[0] == 'P' && (bytes.size() == 1 || bytes[1] == 'R');
  }
  static bool has_changed(const Connection& connection) {
    Analyzer* const analyzer = analyzer_of(connection);
    if (analyzer == nullptr) return false;
    const http1::Analyzer* const http1 = as_http1(analyzer);
    const Verdict verdict = http1 != nullptr ? http1->verdict() : verdict_of(*analyzer);
    return verdict == Verdict::not_mine || verdict == Verdict::upgraded;
  }
  static bool is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes);
  static bool is_answered_in_clear(const Connection& connection, Side sender, Bytes bytes);

  Opening opening_of(const Connection& connection, Side sender, Bytes bytes) const;
  void detect(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival);
  void detect_nothing(Connection& connection, Side sender, const Opening& opening, const Arrival& arrival);
  void attach(Connection& connection, const Found& found, Side sender, const Arrival& arrival);
  void change(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival);
  static void upgrade(Connection& connection, std::uint64_t requests, std::uint64_t responses);
  void continue_in_clear(Connection& connection, const StreamData& data, const Arrival& arrival);
  void continue_as_turns(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival);
  void replay(Connection& connection, Side first, const Arrival& first_arrival, const Arrival& arrival);
  void give_up(http1::Analyzer& undecided, Connection& connection, const Arrival& arrival);
  bool is_named(std::uint16_t port) const;

  const std::vector<std::uint16_t>& ports_;
  bool tcp_;
  ExchangePool& pool_;
};

/// The direction of what `sender` sends. The client is known.
inline Direction direction_of(const Connection& connection, Side sender) {
  return sender == connection.client ? Direction::to_server : Direction::to_client;
}

inline bool Detector::feed_body(const Connection& connection, Side sender, const StreamData& data,
                                const Arrival& arrival) {
  http1::Analyzer* const analyzer = as_http1(analyzer_of(connection));
  const Direction direction = direction_of(connection, sender);
  // The client's bytes may be HTTP/2's preface.
  if (analyzer == nullptr || (direction == Direction::to_server && may_be_preface(data.bytes))) return false;
  return analyzer->feed_body(direction, data, arrival);
}

}  // namespace wirelap
