#include "engine.h"

#include <algorithm>

#include "capture/reader.h"
#include "h2/conversation.h"
#include "report/classic.h"
#include "tls/conversation.h"
#include "wire/decode.h"

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
    if (connection.attachment == nullptr) begin_conversation(connection, sender, chunk.bytes);
    if (is_upgraded_unseen(connection, sender, chunk.bytes)) [[unlikely]]
      begin_h2(connection, connection.stream(sender).next, Stream::kNever);
    std::optional<std::uint64_t> left_for_h2;
    with_conversation(connection, [&](auto& conversation) {
      conversation.feed(role_of(connection, sender), chunk, arrival);
      report(connection, conversation.exchanges());
      left_for_h2 = bytes_for_h2(conversation);
      if (is_something_else(conversation)) drop(connection);
    });
    if (left_for_h2) [[unlikely]]
      switch_to_h2(connection, sender, chunk, *left_for_h2, arrival);
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
    with_conversation(connection, [&](auto& conversation) {
      conversation.finish(role_of(connection, sender), arrival);
      report(connection, conversation.exchanges());
    });
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    with_conversation(connection, [&](auto& conversation) {
      conversation.end(outcome_of(ending), time);
      report(connection, conversation.exchanges());
      drop(connection);
    });
  }

  std::uint64_t skippable(Connection& connection, Side sender) {
    if (connection.ignored) return Stream::kNever - connection.stream(sender).next;
    std::uint64_t count = 0;
    with_conversation(connection,
                      [&](auto& conversation) { count = conversation.skippable(role_of(connection, sender)); });
    return count;
  }

 private:
  /// What a connection's attachment is.
  enum Kind : std::uint8_t { kHttp, kTls, kH2 };

  /// Calls `take` with the connection's conversation, where it has one.
  template <class Take>
  static void with_conversation(const Connection& connection, Take take) {
    if (connection.attachment == nullptr) return;
    switch (static_cast<Kind>(connection.attachment->kind)) {
      case kHttp: return take(static_cast<http::Conversation&>(*connection.attachment));
      case kTls: return take(static_cast<tls::Conversation&>(*connection.attachment));
      case kH2: return take(static_cast<h2::Conversation&>(*connection.attachment));
    }
  }

  static bool is_something_else(const http::Conversation& conversation) { return conversation.is_not_http(); }
  static bool is_something_else(const tls::Conversation& conversation) { return conversation.is_not_tls(); }
  static bool is_something_else(const h2::Conversation& conversation) { return conversation.is_not_h2(); }

  static std::optional<std::uint64_t> bytes_for_h2(const Attachment&) { return std::nullopt; }
  static std::optional<std::uint64_t> bytes_for_h2(const http::Conversation& conversation) {
    return conversation.left_for_h2();
  }

  /// Whether the client has gone on to HTTP/2 after HTTP/1: the answer that allowed it was not captured.
  static bool is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes) {
    return connection.attachment != nullptr && connection.attachment->kind == kHttp && sender == connection.client &&
           h2::begins_with_preface(bytes, http::Role::request);
  }

  /// From these offsets of client and server on the connection is HTTP/2.
  void begin_h2(Connection& connection, std::uint64_t requests, std::uint64_t responses) {
    auto* const before = static_cast<http::Conversation*>(connection.attachment);
    connection.attachment = new h2::Conversation(connection, std::move(before->exchanges()), requests, responses);
    connection.attachment->kind = kH2;
    delete before;
  }

  /// The last `left` bytes of the server's `chunk` are HTTP/2's.
  void switch_to_h2(Connection& connection, Side server, Chunk chunk, std::uint64_t left, const Arrival& arrival) {
    const std::uint64_t before = chunk.length - left;
    begin_h2(connection, connection.stream(connection.client).next, connection.stream(server).next + before);
    chunk.drop_front(before);
    auto& now = static_cast<h2::Conversation&>(*connection.attachment);
    now.feed(http::Role::response, chunk, arrival);
    report(connection, now.exchanges());
  }

  static http::Role role_of(const Connection& connection, Side sender) {
    return sender == connection.client ? http::Role::request : http::Role::response;
  }

  static http::Outcome outcome_of(Ending ending) {
    switch (ending) {
      case Ending::closed: return http::Outcome::closed;
      case Ending::reset: return http::Outcome::reset;
      case Ending::capture_end: return http::Outcome::capture_end;
    }
    return http::Outcome::closed;
  }

  /// Begins a conversation where HTTP/1, HTTP/2 or TLS begins with `bytes`. Where a
  /// server's first bytes are something else, the connection costs nothing more.
  void begin_conversation(Connection& connection, Side sender, Bytes bytes) {
    if (bytes.empty()) return;
    const bool is_tls = tls::Conversation::may_begin(connection, sender, bytes);
    const bool is_h2 = !is_tls && h2::Conversation::may_begin(connection, sender, bytes);
    if (!is_tls && !is_h2 && !http::Conversation::may_begin(connection, sender, bytes)) {
      const Stream& stream = connection.stream(sender);
      connection.ignored = stream.at_start() && sender != connection.client;
      return;
    }
    if (!is_wanted(connection)) {
      connection.ignored = true;
    } else if (is_tls) {
      connection.attachment = new tls::Conversation(connection, pool_);
      connection.attachment->kind = kTls;
    } else if (is_h2) {
      connection.attachment = new h2::Conversation(connection, pool_);
      connection.attachment->kind = kH2;
    } else {
      connection.attachment = new http::Conversation(connection, pool_);
      connection.attachment->kind = kHttp;
    }
  }

  bool is_wanted(const Connection& connection) const {
    const auto& ports = engine_.options_.ports;
    const std::uint16_t server_port = connection.key.ports[1 - index(connection.client)];
    return ports.empty() || std::find(ports.begin(), ports.end(), server_port) != ports.end();
  }

  void pass_over(Connection& connection, Side sender, std::uint64_t count, bool missing, const Arrival& arrival) {
    with_conversation(connection, [&](auto& conversation) {
      conversation.skip(role_of(connection, sender), count, missing, arrival);
      report(connection, conversation.exchanges());
    });
  }

  void report(const Connection& connection, http::Exchanges& exchanges) {
    while (http::Exchange* const exchange = exchanges.next_finished()) {
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
  if (!reader.start()) return reader.fault();
  Dispatcher dispatcher(*this, name, reader);
  Tracker<Dispatcher> tracker(dispatcher, connections_);
  Record record;
  Segment segment;
  while (reader.next(record)) {
    if (decode(record, segment) == Stop::none) tracker.take(segment);
  }
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
    if (decode(record, segment) == Stop::none) classic.take(segment);
  }
  classic.finish(output);
  return reader.fault();
}

}  // namespace wirelap
