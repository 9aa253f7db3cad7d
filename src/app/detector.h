// Which protocol a connection speaks: told from its first bytes, and where it
// goes on as another one.
//
// In: connections with the bytes that they bring. Out: the conversation that is
// to read them. Between the engine and the stages of the protocols.
#pragma once

#include <cstdint>
#include <vector>

#include "app/generic/analyzer.h"
#include "app/h2/analyzer.h"
#include "app/h2/probe.h"
#include "app/http1/analyzer.h"
#include "app/tls/analyzer.h"
#include "flow/connection.h"

namespace wirelap {

/// Gives connections their conversations, which are their attachments, and takes them back.
class Detector {
 public:
  /// `ports` of servers, empty for all; `tcp`: also the turns of what is not known. All outlive it.
  Detector(const std::vector<std::uint16_t>& ports, bool tcp, ExchangePool& pool)
      : ports_(ports), tcp_(tcp), pool_(pool) {}

  /// The connection's conversation; null where it has none.
  static Talk* talk_of(const Connection& connection) { return static_cast<Talk*>(connection.attachment); }

  /// Where the exchanges of the connection's conversation are; null where it has none.
  static ExchangeLog* exchanges_of(const Connection& connection) {
    Talk* const talk = talk_of(connection);
    return talk != nullptr ? &talk->exchanges() : nullptr;
  }

  /// What every conversation has (http/talk.h), of the one that `talk` is.
  static void feed(Talk& talk, Direction direction, const StreamData& data, const Arrival& arrival);
  static void skip(Talk& talk, Direction direction, std::uint64_t count, bool missing, const Arrival& arrival);
  static void finish(Talk& talk, Direction direction, const Arrival& arrival);
  static void end(Talk& talk, Outcome outcome, Nanos time);
  static std::uint64_t skippable(Talk& talk, Direction direction);
  static bool is_something_else(Talk& talk);
  static std::size_t held_bytes(Talk& talk);

  /// Hands `data` on where it is no more than a part of a body; false where nothing is done, since it may be more.
  /// After it no exchange has ended, and no other protocol has begun.
  static bool feed_body(const Connection& connection, Side sender, const StreamData& data, const Arrival& arrival);

  /// `bytes` are the next that `sender` sends: begins a conversation, or another than before.
  void look_at(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
    if (connection.attachment == nullptr) {
      begin(connection, sender, bytes, arrival);
    } else if (may_change(connection, sender)) {
      begin_other(connection, sender, bytes, arrival);
    }
    if (may_be_preface(bytes) && is_upgraded_unseen(connection, sender, bytes)) [[unlikely]]
      begin_h2(connection, connection.stream(sender).next, Stream::kNever);
  }

  /// The conversation was fed `data` of `sender`: where it has found that it is none, or that another
  /// goes on after it, that one takes over and true is returned.
  bool look_back(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    if (!has_changed(connection)) [[likely]]
      return false;
    change(connection, sender, data, arrival);
    return true;
  }

  /// Bytes are missing (`unread`), or nothing more comes: what might have become HTTP was none.
  void give_up_undecided(Connection& connection, const Arrival& arrival, bool unread = false) {
    http1::Analyzer* const http = as_http(connection);
    if (http == nullptr || (unread && !tcp_)) return;
    if (http->is_undecided() || (unread && http->exchanges().count() == 0)) [[unlikely]]
      give_up(*http, connection, arrival);
  }

  /// Ends the connection's conversation, of which all has been reported.
  static void drop(Connection& connection);

  /// Whether nothing of what `sender` sends is looked at.
  static bool is_unheard(const Connection& connection, Side sender) {
    const bool greeting = connection.greeted && connection.attachment == nullptr && sender != connection.client;
    return connection.ignored || greeting;
  }

  /// The client, or where nothing tells it the end that is likely to be. Of two
  /// ports one that was asked for is the server's, else the lower.
  Side client_of(const Connection& connection, Side sender = Side::low) const;

  /// Whether it is asked for, if that end is the client.
  bool is_wanted(const Connection& connection, Side client) const;

 private:
  /// What a connection's attachment is.
  enum Kind : std::uint8_t { kHttp, kH2, kTls, kTcp };

  /// Calls `take` with the conversation that `talk` is.
  template <class Take>
  static auto with(Talk& talk, const Take& take);
  template <class Analyzer, class... Arguments>
  Analyzer* make(Arguments&&... arguments);
  template <class Analyzer>
  static void destroy(Analyzer& conversation);
  template <class Analyzer>
  void attach(Connection& connection, Analyzer* conversation, Kind kind, Side sender, const Arrival& arrival);
  static generic::Analyzer* as_tcp(const Connection& connection);
  static http1::Analyzer* as_http(const Connection& connection) {
    const bool is_http = connection.attachment != nullptr && connection.attachment->kind == kHttp;
    return is_http ? static_cast<http1::Analyzer*>(connection.attachment) : nullptr;
  }
  static bool may_change(const Connection& connection, Side sender);
  /// Whether the preface of HTTP/2 may begin with `bytes`.
  static bool may_be_preface(Bytes bytes) {
    return !bytes.empty() && bytes[0] == 'P' && (bytes.size() == 1 || bytes[1] == 'R');
  }
  static bool is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes);
  void begin_h2(Connection& connection, std::uint64_t requests, std::uint64_t responses);
  static bool is_answered_in_clear(const Connection& connection, Side sender, Bytes bytes);
  void begin_http(Connection& connection, const StreamData& data, const Arrival& arrival);
  static bool has_changed(const Connection& connection) {
    if (const http1::Analyzer* const http = as_http(connection)) [[likely]]
      return http->is_something_else() || http->left_for_h2();
    Talk* const talk = talk_of(connection);
    return talk != nullptr && is_something_else(*talk);
  }
  static bool begins_with_request(Connection& connection, Side sender, Bytes bytes);
  void begin(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival);
  void begin_other(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival);
  void change(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival);
  void give_up(http1::Analyzer& undecided, Connection& connection, const Arrival& arrival);
  void take_unknown(Connection& connection, Side sender, Side client, const Arrival& arrival);
  void take_for_unknown(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival);
  bool is_named(std::uint16_t port) const;

  const std::vector<std::uint16_t>& ports_;
  bool tcp_;
  ExchangePool& pool_;
};

/// Whose messages `sender` sends.
inline Direction direction_of(const Connection& connection, Side sender) {
  return sender == connection.client ? Direction::to_server : Direction::to_client;
}

inline bool Detector::feed_body(const Connection& connection, Side sender, const StreamData& data,
                                const Arrival& arrival) {
  http1::Analyzer* const conversation = as_http(connection);
  const Direction direction = direction_of(connection, sender);
  // What the client sends may be the preface of HTTP/2.
  if (conversation == nullptr || (direction == Direction::to_server && may_be_preface(data.bytes))) return false;
  return conversation->feed_body(direction, data, arrival);
}

}  // namespace wirelap
