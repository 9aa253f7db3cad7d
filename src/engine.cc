#include "engine.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "capture/reader.h"
#include "dispatcher.h"
#include "flow/lookahead.h"
#include "output/classic.h"
#include "timing/observer.h"
#include "wire/decoder.h"

namespace wirelap {

struct Engine::Session {
  explicit Session(Engine& engine)
      : dispatcher(engine.options_.wanted, engine.options_.ports, engine.options_.tcp, engine.writer_, engine.summary_,
                   &engine.memory_),
        observer(dispatcher, &engine.memory_),
        tracker(observer, engine.summary_.connections, engine.memory_) {}

  Dispatcher dispatcher;
  TimingObserver<Dispatcher> observer;
  Tracker<TimingObserver<Dispatcher>> tracker;
  Nanos end = 0;  // the time of its last packet
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
      record_step_back(record);
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

/// Counts a packet whose time is before that of the packet before it, or before all captures.
[[gnu::noinline]] void Engine::record_step_back(const PacketRecord& record) {
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
    // wirelap's predecessor opened no tunnels.
    if (decode(record, segment) == DecodeError::none && segment.tunnel == 0) classic.process(segment);
  }
  classic.finish(output);
  return reader.error();
}

}  // namespace wirelap
