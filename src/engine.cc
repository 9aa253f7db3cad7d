#include "engine.h"

#include "capture/reader.h"
#include "protocols.h"
#include "report/classic.h"
#include "wire/decoder.h"

namespace wirelap {

class Engine::Dispatcher {
 public:
  Dispatcher(const Engine& engine, const std::string& name, const Reader& reader)
      : engine_(engine),
        name_(name),
        reader_(reader),
        pool_(engine.options_.wanted),
        protocols_(engine.options_.ports, engine.options_.tcp, pool_) {}

  void on_packet(Connection& connection, Side, const Segment& segment) {
    Protocols::with(connection, [&](auto& conversation) {
      conversation.exchanges().note_gap(segment.time - connection.last_time);
    });
  }

  void on_bytes(Connection& connection, Side sender, const Chunk& chunk, const Arrival& arrival) {
    if (connection.ignored) return;
    protocols_.look_at(connection, sender, chunk.bytes, arrival);
    Protocols::with(connection,
                    [&](auto& conversation) { conversation.feed(role_of(connection, sender), chunk, arrival); });
    report(connection);
    if (protocols_.look_back(connection, sender, chunk, arrival)) [[unlikely]]
      report(connection);
  }

  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, false, arrival);
  }

  void on_missing(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    pass_over(connection, sender, count, true, arrival);
  }

  void on_sent_again(Connection& connection, Side sender, std::uint64_t begin, const Arrival& arrival) {
    Protocols::with(connection, [&](auto& conversation) {
      conversation.exchanges().note_sent_again(role_of(connection, sender), begin, arrival.time);
    });
  }

  void on_unneeded(Connection& connection, Side sender) {
    Protocols::with(connection,
                    [&](auto& conversation) { conversation.exchanges().note_unneeded(role_of(connection, sender)); });
  }

  void on_acknowledged(Connection& connection, Side sender) {
    if (sender == connection.client) return;
    Protocols::with(connection, [&](auto& conversation) {
      conversation.exchanges().confirm(connection.stream(sender).acknowledged);
    });
    report(connection);
  }

  void on_fin(Connection& connection, Side sender, const Arrival& arrival) {
    if (sender != connection.client) protocols_.give_up_undecided(connection, arrival);
    Protocols::with(connection, [&](auto& conversation) { conversation.finish(role_of(connection, sender), arrival); });
    report(connection);
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    protocols_.give_up_undecided(connection, {time, connection.last_frame, 0});
    Protocols::with(connection, [&](auto& conversation) { conversation.end(outcome_of(ending), time); });
    report(connection);
    if (connection.attachment != nullptr) Protocols::drop(connection);
  }

  void on_gone(Connection& connection) {
    if (!engine_.options_.wanted.connections) return;
    const Side client = protocols_.client_of(connection);
    if (protocols_.is_wanted(connection, client))
      engine_.sink_.write_connection({name_, reader_.decimals(), connection, client});
  }

  std::uint64_t skippable(Connection& connection, Side sender) {
    if (Protocols::is_unheard(connection, sender)) return Stream::kNever - connection.stream(sender).next;
    std::uint64_t count = 0;
    Protocols::with(connection,
                    [&](auto& conversation) { count = conversation.skippable(role_of(connection, sender)); });
    return count;
  }

 private:
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

  void pass_over(Connection& connection, Side sender, std::uint64_t count, bool missing, const Arrival& arrival) {
    if (missing) protocols_.give_up_undecided(connection, arrival, true);
    Protocols::with(connection, [&](auto& conversation) {
      conversation.skip(role_of(connection, sender), count, missing, arrival);
    });
    report(connection);
  }

  void report(Connection& connection) {
    Protocols::with(connection, [&](auto& conversation) {
      while (http::Exchange* const exchange = conversation.exchanges().next_finished()) report(connection, *exchange);
    });
  }

  void report(Connection& connection, http::Exchange& exchange) {
    if (connection.exchanges++ == 0) connection.protocol = name_of_protocol(exchange);
    engine_.sink_.write({name_, reader_.decimals(), connection, exchange, pool_.wanted()});
    pool_.give_back(exchange);
  }

  const Engine& engine_;
  const std::string& name_;
  const Reader& reader_;
  http::ExchangePool pool_;
  Protocols protocols_;
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
