#include "engine.h"

#include <algorithm>

#include "capture/reader.h"
#include "report/classic.h"
#include "tcp/conversation.h"
#include "tls/conversation.h"
#include "wire/decoder.h"

namespace wirelap {

class Engine::Dispatcher {
 public:
  Dispatcher(const Engine& engine, const std::string& name, const Reader& reader)
      : engine_(engine), name_(name), reader_(reader), pool_(engine.options_.wanted) {}

  void on_packet(Connection& connection, Side, const Segment& segment) {
    with_conversation(connection, [&](auto& conversation) {
      conversation.exchanges().note_gap(segment.time - connection.last_time);
    });
  }

  void on_bytes(Connection& connection, Side sender, const Chunk& chunk, const Arrival& arrival) {
    if (connection.ignored) return;
    if (connection.attachment == nullptr || may_change(connection, sender)) {
      begin_conversation(connection, sender, chunk.bytes, arrival);
    }
    with_conversation(connection, [&](auto& conversation) {
      conversation.feed(role_of(connection, sender), chunk, arrival);
      report(connection, conversation.exchanges());
      if (is_something_else(conversation)) {
        connection.protocol = {};
        take_for_unknown(connection, sender, chunk.length, arrival);
      }
    });
  }

  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, false, arrival);
  }

  void on_missing(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, true, arrival);
  }

  void on_sent_again(Connection& connection, Side sender, std::uint64_t begin, const Arrival& arrival) {
    with_conversation(connection, [&](auto& conversation) {
      conversation.exchanges().note_sent_again(role_of(connection, sender), begin, arrival.time);
    });
  }

  void on_unneeded(Connection& connection, Side sender) {
    with_conversation(connection,
                      [&](auto& conversation) { conversation.exchanges().note_unneeded(role_of(connection, sender)); });
  }

  void on_acknowledged(Connection& connection, Side sender) {
    if (sender == connection.client) return;
    with_conversation(connection, [&](auto& conversation) {
      conversation.exchanges().confirm(connection.stream(sender).acknowledged);
      report(connection, conversation.exchanges());
    });
  }

  void on_fin(Connection& connection, Side sender, const Arrival& arrival) {
    if (sender != connection.client) give_up_undecided(connection, arrival);
    with_conversation(connection, [&](auto& conversation) {
      conversation.finish(role_of(connection, sender), arrival);
      report(connection, conversation.exchanges());
    });
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    give_up_undecided(connection, {time, connection.last_frame, 0});
    with_conversation(connection, [&](auto& conversation) {
      conversation.end(outcome_of(ending), time);
      report(connection, conversation.exchanges());
      drop(connection);
    });
  }

  void on_gone(Connection& connection) {
    if (!engine_.options_.wanted.connections) return;
    const Side client = client_of(connection);
    if (is_wanted(connection, client)) engine_.sink_.write_connection({name_, reader_.decimals(), connection, client});
  }

  std::uint64_t skippable(Connection& connection, Side sender) {
    const bool unheard = connection.greeted && connection.attachment == nullptr && sender != connection.client;
    if (connection.ignored || unheard) return Stream::kNever - connection.stream(sender).next;
    std::uint64_t count = 0;
    with_conversation(connection,
                      [&](auto& conversation) { count = conversation.skippable(role_of(connection, sender)); });
    return count;
  }

 private:
  /// What a connection's attachment is.
  enum Kind : std::uint8_t { kHttp, kTls, kTcp };

  /// Calls `take` with the connection's conversation, where it has one.
  template <class Take>
  static void with_conversation(const Connection& connection, Take take) {
    if (connection.attachment == nullptr) return;
    switch (static_cast<Kind>(connection.attachment->kind)) {
      case kHttp: return take(static_cast<http::Conversation&>(*connection.attachment));
      case kTls: return take(static_cast<tls::Conversation&>(*connection.attachment));
      case kTcp: return take(static_cast<tcp::Conversation&>(*connection.attachment));
    }
  }

  static bool is_something_else(const http::Conversation& conversation) { return conversation.is_not_http(); }
  static bool is_something_else(const tls::Conversation& conversation) { return conversation.is_not_tls(); }
  static bool is_something_else(const tcp::Conversation&) { return false; }

  static tcp::Conversation* as_tcp(const Connection& connection) {
    const bool is_tcp = connection.attachment != nullptr && connection.attachment->kind == kTcp;
    return is_tcp ? static_cast<tcp::Conversation*>(connection.attachment) : nullptr;
  }

  /// Whether what was taken for turns may yet begin a protocol that is known.
  static bool may_change(const Connection& connection, Side sender) {
    const tcp::Conversation* const turns = as_tcp(connection);
    return turns != nullptr && turns->may_change(role_of(connection, sender));
  }

  static http::Role role_of(const Connection& connection, Side sender) {
    return sender == connection.client ? http::Role::request : http::Role::response;
  }

  static http::Outcome outcome_of(Ending ending) {
    switch (ending) {
      case Ending::closed:
      case Ending::replaced: return http::Outcome::closed;
      case Ending::reset:
      case Ending::refused: return http::Outcome::reset;
      case Ending::capture_end: return http::Outcome::capture_end;
    }
    return http::Outcome::closed;
  }

  /// Begins a conversation where HTTP or TLS begins with `bytes`, or with --tcp
  /// where neither does.
  void begin_conversation(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
    using Beginning = tls::Conversation::Beginning;
    if (bytes.empty()) return;
    const tcp::Conversation* const turns = as_tcp(connection);
    const bool knew_client = connection.client_known;
    const Side client = knew_client ? connection.client : likely_client(connection, sender);
    // A guess does not bind the protocols that tell it.
    if (turns != nullptr && !turns->is_settled())
      connection.client_known = connection.handshake.syn_ack != kUnknownTime;
    const Beginning tls = tls::Conversation::may_begin(connection, sender, bytes, client);
    const bool only_tls = connection.greeted || (turns != nullptr && turns->is_settled());
    const bool is_http =
        tls == Beginning::none && !only_tls && http::Conversation::may_begin(connection, sender, bytes);
    if (!connection.client_known && (knew_client || tls == Beginning::middle)) connection.set_client(client);
    if (tls == Beginning::none && !is_http) {
      if (turns == nullptr) take_unknown(connection, sender, client, arrival);
    } else if (!is_wanted(connection, connection.client)) {
      drop(connection);
    } else if (is_http) {
      attach(connection, new http::Conversation(connection, pool_), kHttp, sender, arrival);
    } else {
      attach(connection, new tls::Conversation(connection, pool_, tls), kTls, sender, arrival);
      connection.protocol = "tls";  // a handshake alone makes no exchange
    }
  }

  /// Who is the client where nothing tells it: of two ports the lower is the server's.
  Side likely_client(const Connection& connection, Side sender) const {
    const std::uint16_t(&ports)[2] = connection.key.ports;
    const bool asked_for[2] = {is_named(ports[0]), is_named(ports[1])};
    if (asked_for[0] != asked_for[1]) return asked_for[0] ? Side::high : Side::low;
    if (ports[0] == ports[1]) return sender;
    return ports[0] < ports[1] ? Side::high : Side::low;
  }

  /// Gives the connection its conversation; one that it had ends.
  template <class Conversation>
  void attach(Connection& connection, Conversation* conversation, Kind kind, Side sender, const Arrival& arrival) {
    if (tcp::Conversation* const turns = as_tcp(connection)) {
      turns->yield(arrival.time);
      report(connection, turns->exchanges());
      conversation->exchanges().go_on(turns->exchanges());
      delete turns;
    }
    conversation->kind = kind;
    conversation->began_by = sender;
    conversation->began = arrival;
    connection.attachment = conversation;
  }

  /// Neither HTTP nor TLS begins with what comes. Without --tcp such a connection
  /// costs nothing more than a look for TLS later, where its server spoke first.
  void take_unknown(Connection& connection, Side sender, Side client, const Arrival& arrival) {
    if (engine_.options_.tcp) {
      if (!connection.client_known) connection.set_client(client);
      if (!is_wanted(connection, connection.client)) return drop(connection);
      const Side server = other(connection.client);
      const bool from_start = connection.stream(connection.client).at_start() && connection.stream(server).next == 0;
      return attach(connection, new tcp::Conversation(connection, pool_, from_start), kTcp, sender, arrival);
    }
    const Stream& stream = connection.stream(sender);
    if (stream.at_start() && sender != connection.client) connection.greeted = true;
    const bool late =
        connection.greeted && sender == connection.client && stream.next >= tcp::Conversation::kMaxBeforeTls;
    if (late || (connection.greeted && !is_wanted(connection, connection.client))) connection.ignored = true;
  }

  /// What was taken for HTTP or TLS is neither: with --tcp its bytes so far, with
  /// `length` ones of `sender` that came last, are the first turn's.
  void take_for_unknown(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival) {
    const Side first = connection.attachment->began_by;
    const Arrival began = connection.attachment->began;
    const bool whole = connection.stream(first).from_syn && connection.stream(other(first)).from_syn;
    std::uint64_t numbered = 0;
    with_conversation(connection, [&](auto& conversation) { numbered = conversation.exchanges().count(); });
    drop(connection);
    if (!engine_.options_.tcp || numbered != 0 || !whole) return;
    connection.ignored = false;
    auto* const turns = new tcp::Conversation(connection, pool_, true);
    attach(connection, turns, kTcp, first, began);
    for (const Side side : {first, other(first)}) {
      const Stream& stream = connection.stream(side);
      const std::uint64_t count = stream.next + (side == sender ? length : 0);
      if (count == 0) continue;
      const Arrival start = side == first ? began : arrival;
      const Arrival end =
          side == sender && length != 0 ? arrival : Arrival{stream.last_time, start.frame, start.acknowledged};
      turns->take_back(role_of(connection, side), 0, 1, start);
      if (count > 1) turns->take_back(role_of(connection, side), 1, count - 1, end);
    }
  }

  /// The server says nothing more: what might have become HTTP was none.
  void give_up_undecided(Connection& connection, const Arrival& arrival) {
    if (connection.attachment == nullptr || connection.attachment->kind != kHttp) return;
    auto& conversation = static_cast<http::Conversation&>(*connection.attachment);
    if (!conversation.is_undecided()) return;
    conversation.give_up();
    take_for_unknown(connection, connection.client, 0, arrival);
  }

  /// Bytes are missing while nothing has shown that HTTP is spoken at all.
  void give_up_unread(Connection& connection, const Arrival& arrival) {
    give_up_undecided(connection, arrival);
    if (connection.attachment == nullptr || connection.attachment->kind != kHttp) return;
    if (static_cast<http::Conversation&>(*connection.attachment).exchanges().count() != 0) return;
    take_for_unknown(connection, connection.client, 0, arrival);
  }

  bool is_named(std::uint16_t port) const {
    const auto& ports = engine_.options_.ports;
    return std::find(ports.begin(), ports.end(), port) != ports.end();
  }

  Side client_of(const Connection& connection) const {
    return connection.client_known ? connection.client : likely_client(connection, Side::low);
  }

  bool is_wanted(const Connection& connection, Side client) const {
    return engine_.options_.ports.empty() || is_named(connection.key.ports[1 - index(client)]);
  }

  void pass_over(Connection& connection, Side sender, std::uint64_t count, bool missing, const Arrival& arrival) {
    if (missing && engine_.options_.tcp) give_up_unread(connection, arrival);
    with_conversation(connection, [&](auto& conversation) {
      conversation.skip(role_of(connection, sender), count, missing, arrival);
      report(connection, conversation.exchanges());
    });
  }

  void report(Connection& connection, http::Exchanges& exchanges) {
    while (http::Exchange* const exchange = exchanges.next_finished()) {
      if (connection.exchanges++ == 0) connection.protocol = name_of_protocol(*exchange);
      engine_.sink_.write({name_, reader_.decimals(), connection, *exchange, pool_.wanted()});
      pool_.give_back(*exchange);
    }
  }

  void drop(Connection& connection) {
    with_conversation(connection, [](auto& conversation) { delete &conversation; });
    connection.attachment = nullptr;
    connection.ignored = true;
  }

  const Engine& engine_;
  const std::string& name_;
  const Reader& reader_;
  http::ExchangePool pool_;
};

std::optional<Fault> Engine::run(Input& input, const std::string& name) {
  Reader reader(input, name);
  counts_ = {};
  if (!reader.start()) return reader.fault();
  Dispatcher dispatcher(*this, name, reader);
  Tracker<Dispatcher> tracker(dispatcher, connections_);
  Decoder decoder;
  Record record;
  Segment segment;
  while (reader.next(record)) {
    if (decoder.decode(record, segment)) tracker.take(segment);
  }
  decoder.finish();
  counts_ = decoder.counts();
  tracker.finish(record.time);
  connections_ = tracker.connections();
  return reader.fault();
}

std::optional<Fault> run_classic(Input& input, const std::string& name, std::vector<std::uint16_t> ports,
                                 Output& output) {
  if (ports.empty()) ports = {80};
  Reader reader(input, name);
  if (!reader.start()) return reader.fault();
  Classic classic(std::move(ports));
  Record record;
  Segment segment;
  while (reader.next(record)) {
    // The forerunner knew no tunnels.
    if (decode(record, segment) == Stop::none && segment.tunnel == 0) classic.take(segment);
  }
  classic.finish(output);
  return reader.fault();
}

}  // namespace wirelap
