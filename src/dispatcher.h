// The middle of the engine: hands stream data to the analyzers and finished
// exchanges to the output.
//
// In: the events of a tracker and of its TimingObserver, for all connections of a
// run. Out: records to a RecordWriter, and counts in a Summary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "app/detector.h"
#include "base/prefetch.h"
#include "capture/packet_record.h"
#include "capture/reader.h"
#include "exchange/exchange.h"
#include "flow/connection.h"
#include "flow/consumer.h"
#include "output/summary.h"
#include "output/writer.h"
#include "record/record.h"

namespace wirelap {

/// The last consumer of the events that flow/consumer.h lists. Owns the captures' names, and the analyzers through its
/// detector.
class Dispatcher {
 public:
  /// `ports` and `tcp` as the Detector has them. Counts into `summary`, keeps analyzers in `memory`, and writes records
  /// to `writer`. All outlive it.
  Dispatcher(const Wanted& wanted, const std::vector<std::uint16_t>& ports, bool tcp, RecordWriter& writer,
             Summary& summary, std::pmr::memory_resource* memory)
      : writer_(writer), summary_(summary), pool_(wanted, memory), detector_(ports, tcp, pool_) {}

  /// From here on, packets are of the capture `name`, read by `reader`.
  void begin_capture(const std::string& name, const Reader& reader) {
    captures_.push_back(std::make_unique<Capture>(name, &reader));
  }
  void end_capture() {
    Capture& ended = *captures_.back();
    ended.decimals = std::exchange(ended.reader, nullptr)->decimals();
  }

  /// The index of the present capture among those that are joined.
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
    summary_.gaps += 1;
    summary_.missing_bytes += count;
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
    summary_.evicted_connections += ending == Ending::evicted ? 1 : 0;
    detector_.give_up_undecided(connection, {time, connection.last_packet, 0});
    if (Analyzer* const analyzer = Detector::analyzer_of(connection)) {
      wirelap::finish(*analyzer, outcome_of(ending), time);
      report(connection);
      Detector::drop(connection);
    }
  }

  void on_gone(Connection& connection) {
    summary_.duplicates += connection.counts.duplicate;
    const bool refused = connection.closed && connection.ending == Ending::refused;
    summary_.unanswered += refused || connection.is_unanswered() ? 1 : 0;
    if (!pool_.wanted().connections) return;
    const Side client = detector_.client_of(connection);
    if (!detector_.is_wanted(connection, client)) return;
    const Capture& capture = capture_of(connection.first_packet);
    fill_record(connection_record_, {capture.name, capture.present_decimals()}, connection, client);
    writer_.write(connection_record_);
  }

  void on_dropped(Connection& connection) { Detector::drop(connection); }

  void prefetch(const Connection& connection) {
    constexpr std::size_t kAttachmentBytes = 256;  // of an HTTP/1 analyzer
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
    summary_.exchanges += 1;
    summary_.evicted_exchanges += exchange.outcome == Outcome::evicted ? 1 : 0;
    const Capture& capture = capture_of(exchange.first_packet);
    fill_record(exchange_record_, {capture.name, capture.present_decimals()}, connection, exchange, pool_.wanted());
    if (connection.exchanges++ == 0) connection.protocol = exchange_record_.protocol;
    writer_.write(exchange_record_);
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

  RecordWriter& writer_;
  Summary& summary_;
  std::vector<std::unique_ptr<Capture>> captures_;
  ExchangePool pool_;
  Detector detector_;
  Record exchange_record_, connection_record_;  // filled again for each record of their type
};

}  // namespace wirelap
