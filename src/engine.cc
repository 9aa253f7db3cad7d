#include "engine.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "app/detector.h"
#include "base/prefetch.h"
#include "capture/reader.h"
#include "flow/lookahead.h"
#include "output/classic.h"
#include "timing/observer.h"
#include "wire/decoder.h"

namespace wirelap {

class Engine::Dispatcher {
 public:
  explicit Dispatcher(Engine& engine)
      : engine_(engine),
        pool_(engine.options_.wanted, &engine.memory_),
        detector_(engine.options_.ports, engine.options_.tcp, pool_) {}

  /// What comes from here on is of the capture `name`, until the next call.
  void begin_capture(const std::string& name, const Reader& reader) {
    captures_.push_back(std::make_unique<Capture>(name, &reader));
  }
  void end_capture() {
    Capture& ended = *captures_.back();
    ended.decimals = std::exchange(ended.reader, nullptr)->decimals();
  }

  /// Of the present capture, among those that are joined.
  std::uint64_t file() const { return captures_.size() - 1; }

  void on_packet(Connection& connection, Side, const Segment& segment) {
    if (ExchangeLog* const log = Detector::log_of(connection))
      log->record_packet_gap(segment.time - connection.last_time);
  }

  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    if (!Detector::feed_body(connection, sender, data, arrival)) process_bytes(connection, sender, data, arrival);
  }

  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    process_gap(connection, sender, count, true, arrival);
  }

  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    engine_.summary_.holes += 1;
    engine_.summary_.hole_bytes += count;
    process_gap(connection, sender, count, false, arrival);
  }

  void on_retransmitted(Connection& connection, Side sender, std::uint64_t begin, const Arrival& arrival) {
    if (ExchangeLog* const log = Detector::log_of(connection))
      log->record_retransmission(direction_of(connection, sender), begin, arrival.time);
  }

  void on_spurious(Connection& connection, Side sender) {
    if (ExchangeLog* const log = Detector::log_of(connection)) log->record_spurious(direction_of(connection, sender));
  }

  void on_acknowledged(Connection& connection, Side sender, const Acknowledgment&) {
    if (sender == connection.client) return;
    ExchangeLog* const log = Detector::log_of(connection);
    if (log != nullptr && log->confirm(connection.stream(sender).acknowledged)) report(connection);
  }

  void on_fin(Connection& connection, Side sender, const Arrival& arrival) {
    if (sender != connection.client) detector_.give_up_undecided(connection, arrival);
    if (Analyzer* const analyzer = Detector::analyzer_of(connection))
      wirelap::finish(*analyzer, direction_of(connection, sender), arrival);
    report(connection);
  }

  void on_ending(Connection& connection, Ending ending, Nanos time) {
    engine_.summary_.evicted_connections += ending == Ending::evicted ? 1 : 0;
    detector_.give_up_undecided(connection, {time, connection.last_packet, 0});
    if (Analyzer* const analyzer = Detector::analyzer_of(connection)) {
      wirelap::finish(*analyzer, outcome_of(ending), time);
      report(connection);
      Detector::drop(connection);
    }
  }

  void on_gone(Connection& connection) {
    engine_.summary_.duplicates += connection.counts.duplicate;
    const bool refused = connection.closed && connection.ending == Ending::refused;
    engine_.summary_.unanswered += refused || connection.is_unanswered() ? 1 : 0;
    if (!engine_.options_.wanted.connections) return;
    const Side client = detector_.client_of(connection);
    if (!detector_.is_wanted(connection, client)) return;
    const Capture& capture = capture_of(connection.first_packet);
    fill_record(connection_record_, {capture.name, capture.present_decimals()}, connection, client);
    engine_.writer_.write(connection_record_);
  }

  void on_dropped(Connection& connection) { Detector::drop(connection); }

  void prefetch(const Connection& connection) {
    constexpr std::size_t kAttachmentBytes = 256;  // of an HTTP conversation
    if (connection.attachment != nullptr) wirelap::prefetch(connection.attachment, kAttachmentBytes);
  }

  std::size_t held_bytes(const Connection& connection) {
    Analyzer* const analyzer = Detector::analyzer_of(connection);
    return analyzer != nullptr ? wirelap::held_bytes(*analyzer) : 0;
  }

  std::uint64_t skippable(Connection& connection, Side sender) {
    if (Detector::ignores(connection, sender)) return Stream::kNever - connection.stream(sender).next;
    Analyzer* const analyzer = Detector::analyzer_of(connection);
    return analyzer != nullptr ? wirelap::skippable(*analyzer, direction_of(connection, sender)) : 0;
  }

 private:
  static Outcome outcome_of(Ending ending) {
    switch (ending) {
      case Ending::closed:
      case Ending::replaced: return Outcome::closed;
      case Ending::reset:
      case Ending::refused: return Outcome::reset;
      case Ending::capture_end: return Outcome::capture_end;
      case Ending::evicted: return Outcome::evicted;
    }
    return Outcome::closed;
  }

  [[gnu::noinline]] void process_bytes(Connection& connection, Side sender, const StreamData& data,
                                       const Arrival& arrival) {
    if (connection.ignored) return;
    detector_.choose(connection, sender, data.bytes, arrival);
    Analyzer* const analyzer = Detector::analyzer_of(connection);
    if (analyzer == nullptr) return;
    wirelap::feed(*analyzer, direction_of(connection, sender), data, arrival);
    report(connection);
    if (detector_.reconsider(connection, sender, data, arrival)) [[unlikely]]
      report(connection);
  }

  void process_gap(Connection& connection, Side sender, std::uint64_t count, bool captured, const Arrival& arrival) {
    if (!captured) detector_.give_up_undecided(connection, arrival, true);
    if (Analyzer* const analyzer = Detector::analyzer_of(connection))
      wirelap::gap(*analyzer, direction_of(connection, sender), count, captured, arrival);
    report(connection);
  }

  /// Writes the records of the exchanges that have finished.
  void report(Connection& connection) {
    ExchangeLog* const log = Detector::log_of(connection);
    if (log != nullptr && log->has_finished()) report(connection, *log);
  }

  [[gnu::noinline]] void report(Connection& connection, ExchangeLog& log) {
    while (Exchange* const exchange = log.next_finished()) report(connection, *exchange);
  }

  void report(Connection& connection, Exchange& exchange) {
    engine_.summary_.exchanges += 1;
    engine_.summary_.evicted_exchanges += exchange.outcome == Outcome::evicted ? 1 : 0;
    const Capture& capture = capture_of(exchange.first_packet);
    fill_record(exchange_record_, {capture.name, capture.present_decimals()}, connection, exchange, pool_.wanted());
    if (connection.exchanges++ == 0) connection.protocol = exchange_record_.protocol;
    engine_.writer_.write(exchange_record_);
    pool_.give_back(exchange);
  }

  struct Capture {
    Capture(const std::string& called, const Reader* from) : name(called), reader(from) {}

    std::string name;
    const Reader* reader;  // while it is read
    int decimals = 0;      // known at its end

    int present_decimals() const { return reader != nullptr ? reader->decimals() : decimals; }
  };
  const Capture& capture_of(PacketNumber packet) const {
    return *captures_[static_cast<std::size_t>(file_index(packet))];
  }

  Engine& engine_;
  std::vector<std::unique_ptr<Capture>> captures_;
  ExchangePool pool_;
  Detector detector_;
  Record exchange_record_, connection_record_;  // each filled anew for every record of its type
};

struct Engine::Session {
  explicit Session(Engine& engine)
      : dispatcher(engine),
        observer(dispatcher, &engine.memory_),
        tracker(observer, engine.summary_.connections, engine.memory_) {}

  Dispatcher dispatcher;
  TimingObserver<Dispatcher> observer;
  Tracker<TimingObserver<Dispatcher>> tracker;
  Nanos end = 0;  // the time of its last record
};

struct Engine::Reading {
  Reading(Input& from, const std::string& called) : input(from), name(called), reader(from, called) {}

  Input& input;
  std::string name;
  Reader reader;
  bool started = false;
};

Engine::Engine(EngineOptions options, RecordWriter& writer)
    : options_(std::move(options)), writer_(writer), memory_(options_.memory_bytes) {}
Engine::~Engine() = default;

std::optional<Error> Engine::run(Input& input, const std::string& name) {
  begin(input, name);
  read_on();
  return end();
}

void Engine::begin(Input& input, const std::string& name) {
  reading_ = std::make_unique<Reading>(input, name);
  out_of_order_ = false;
}

bool Engine::start() {
  if (!reading_->reader.start()) return false;
  reading_->started = true;
  if (session_ == nullptr) session_ = std::make_unique<Session>(*this);
  session_->dispatcher.begin_capture(reading_->name, reading_->reader);
  return true;
}

bool Engine::read_on() {
  Reader& reader = reading_->reader;
  if (!reading_->started && !start()) return !reader.error();
  const PacketNumber file = packet_number(session_->dispatcher.file(), 0);
  Lookahead<TimingObserver<Dispatcher>> lookahead(session_->tracker);
  reading_->input.set_before_move([&] { lookahead.drain(); });
  PacketRecord record;
  while (reader.next(record)) {
    if (record.time < last_time_) [[unlikely]]
      note_step_back(record);
    else
      last_time_ = record.time;
    record.number |= file;
    if (decoder_.decode(record, lookahead.next())) lookahead.process(record);
  }
  lookahead.drain();
  reading_->input.set_before_move([] {});
  if (record.number != 0) session_->end = record.time;
  summary_.connections = session_->tracker.connections();
  return !reader.error();
}

std::optional<Error> Engine::end() {
  const std::unique_ptr<Reading> done = std::move(reading_);
  if (done->started) {
    session_->dispatcher.end_capture();
    if (!options_.join) finish();
  }
  return done->reader.error();
}

void Engine::finish() {
  if (session_ == nullptr) return;
  decoder_.finish();
  session_->tracker.finish(session_->end);
  session_.reset();
  last_time_ = kUndated;
}

/// The record's time is before that of the one before, or in no year that captures are from.
[[gnu::noinline]] void Engine::note_step_back(const PacketRecord& record) {
  const Nanos before = std::exchange(last_time_, std::max(record.time, kUndated));
  if (record.time < kUndated) {
    summary_.undated += 1;
    return;
  }
  if (options_.join && record.number == 1) out_of_order_ = true;
  summary_.steps_back += 1;
  summary_.largest_step_back = std::max(summary_.largest_step_back, before - record.time);
}

Summary Engine::summary() const {
  Summary all = summary_;
  all.decoded = decoder_.counts();
  return all;
}

std::optional<Error> run_classic(Input& input, const std::string& name, std::vector<std::uint16_t> ports,
                                 Output& output) {
  if (ports.empty()) ports = {80};
  Reader reader(input, name);
  if (!reader.start()) return reader.error();
  Classic classic(std::move(ports));
  PacketRecord record;
  Segment segment;
  while (reader.next(record)) {
    // The forerunner knew no tunnels.
    if (decode(record, segment) == DecodeError::none && segment.tunnel == 0) classic.take(segment);
  }
  classic.finish(output);
  return reader.error();
}

}  // namespace wirelap
