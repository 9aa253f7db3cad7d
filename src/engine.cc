#include "engine.h"

#include <algorithm>

#include "capture/reader.h"
#include "report/classic.h"
#include "wire/decode.h"

namespace wirelap {

class Engine::Dispatcher {
 public:
  Dispatcher(const Engine& engine, const std::string& name, const Reader& reader)
      : engine_(engine), name_(name), reader_(reader), pool_(engine.options_.wanted) {}

  void on_packet(Connection& connection, Side, const Segment& segment) {
    if (Conversation* const conversation = conversation_of(connection)) {
      conversation->exchanges().note_gap(segment.time - connection.last_time);
    }
  }

  void on_bytes(Connection& connection, Side sender, const Chunk& chunk, const Arrival& arrival) {
    if (connection.ignored) return;
    Conversation* conversation = conversation_of(connection);
    if (conversation == nullptr) conversation = begin_conversation(connection, sender, chunk.bytes);
    if (conversation == nullptr) return;
    conversation->feed(role_of(connection, sender), chunk, arrival);
    report(connection, *conversation);
    if (conversation->is_not_http()) drop(connection);
  }

  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, false, arrival);
  }

  void on_missing(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, true, arrival);
  }

  void on_sent_again(Connection& connection, Side sender, std::uint64_t begin, const Arrival& arrival) {
    if (Conversation* const conversation = conversation_of(connection)) {
      conversation->exchanges().note_sent_again(role_of(connection, sender), begin, arrival.time);
    }
  }

  void on_unneeded(Connection& connection, Side sender) {
    if (Conversation* const conversation = conversation_of(connection)) {
      conversation->exchanges().note_unneeded(role_of(connection, sender));
    }
  }

  void on_acknowledged(Connection& connection, Side sender) {
    Conversation* const conversation = conversation_of(connection);
    if (conversation == nullptr || sender == connection.client) return;
    conversation->exchanges().confirm(connection.stream(sender).acknowledged);
    report(connection, *conversation);
  }

  void on_fin(Connection& connection, Side sender, const Arrival& arrival) {
    Conversation* const conversation = conversation_of(connection);
    if (conversation == nullptr) return;
    conversation->finish(role_of(connection, sender), arrival);
    report(connection, *conversation);
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    Conversation* const conversation = conversation_of(connection);
    if (conversation == nullptr) return;
    conversation->end(outcome_of(ending), time);
    report(connection, *conversation);
    drop(connection);
  }

  std::uint64_t skippable(Connection& connection, Side sender) {
    if (connection.ignored) return Stream::kNever - connection.stream(sender).next;
    Conversation* const conversation = conversation_of(connection);
    return conversation == nullptr ? 0 : conversation->skippable(role_of(connection, sender));
  }

 private:
  using Conversation = http::Conversation;

  static Conversation* conversation_of(const Connection& connection) {
    return static_cast<Conversation*>(connection.attachment);
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

  /// A conversation where HTTP begins with `bytes`. Where a server's first bytes
  /// are something else, the connection costs nothing more.
  Conversation* begin_conversation(Connection& connection, Side sender, Bytes bytes) {
    if (bytes.empty()) return nullptr;
    if (!Conversation::may_begin(connection, sender, bytes)) {
      const Stream& stream = connection.stream(sender);
      connection.ignored = stream.from_syn && stream.next == 0 && sender != connection.client;
      return nullptr;
    }
    if (!is_wanted(connection)) {
      connection.ignored = true;
      return nullptr;
    }
    auto* const conversation = new Conversation(connection, pool_);
    connection.attachment = conversation;
    return conversation;
  }

  bool is_wanted(const Connection& connection) const {
    const auto& ports = engine_.options_.ports;
    const std::uint16_t server_port = connection.key.ports[1 - index(connection.client)];
    return ports.empty() || std::find(ports.begin(), ports.end(), server_port) != ports.end();
  }

  void pass_over(Connection& connection, Side sender, std::uint64_t count, bool missing, const Arrival& arrival) {
    Conversation* const conversation = conversation_of(connection);
    if (conversation == nullptr) return;
    conversation->skip(role_of(connection, sender), count, missing, arrival);
    report(connection, *conversation);
  }

  void report(const Connection& connection, Conversation& conversation) {
    while (http::Exchange* const exchange = conversation.exchanges().next_finished()) {
      engine_.sink_.write({name_, reader_.decimals(), connection, *exchange, pool_.wanted()});
      pool_.give_back(*exchange);
    }
  }

  void drop(Connection& connection) {
    delete conversation_of(connection);
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
