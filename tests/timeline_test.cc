// Runs the timelines of tests/timelines: real packets through the decoder and the tracker, and where a case asks for
// records, through the engine. A test case is named "FILE: HEADING"; its place is the heading's.
//
// UPDATE_TIMELINES=1 writes the events that occur into the files instead: read the diff before it is committed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "flow/consumer.h"
#include "flow/tracker.h"
#include "support/records.h"
#include "support/timeline.h"
#include "timing/observer.h"
#include "wire/decode.h"

namespace wirelap {
namespace {

using test::time_text;
using test::TimelineCase;
using test::TimelineLine;
using test::TimelineScript;
using test::TimelineStep;

constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;  // the script's 0

// What a block's first line may ask for.
const std::set<std::string> kKinds = {"stream", "handshake", "causes", "counts", "round trips", "gone", "records"};

/// "name +1, name -2" of what has changed.
class Changes {
 public:
  void add(const char* name, Nanos change, std::string (*text_of)(Nanos)) {
    if (change == 0) return;
    text_ += (text_.empty() ? "" : ", ") + std::string(name) + (change > 0 ? " +" : " ") + text_of(change);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string changes(const CauseTimes& from, const CauseTimes& to) {
  const char* const names[] = {"network", "loss", "server", "client", "window", "ack_delay"};
  Changes all;
  for (int cause = 0; cause < kCauseCount; ++cause) all.add(names[cause], to.by[cause] - from.by[cause], time_text);
  return all.text();
}

std::string changes(const TcpCounts& from, const TcpCounts& to) {
  Changes all;
  const auto add = [&all](const char* name, std::uint32_t before, std::uint32_t after) {
    all.add(name, static_cast<Nanos>(after) - static_cast<Nanos>(before), [](Nanos n) { return std::to_string(n); });
  };
  add("zero_windows", from.zero_windows, to.zero_windows);
  add("retransmitted", from.retransmitted, to.retransmitted);
  add("lost", from.lost, to.lost);
  add("spurious", from.spurious, to.spurious);
  add("out_of_order", from.out_of_order, to.out_of_order);
  add("duplicate", from.duplicate, to.duplicate);
  return all.text();
}

/// Writes down what a tracker reports: all that this file knows of src/flow and src/timing is here.
class Log : public IdleConsumer {
 public:
  Log(const TimelineCase& from, const TimelineScript& script) {
    shown_.insert(from.shown.begin(), from.shown.end());
    const auto skippable = script.settings.find("skippable");
    if (skippable != script.settings.end()) skippable_ = std::stoull(skippable->second);
  }

  /// The events of `step`.
  std::vector<std::string> play(const TimelineStep& step) {
    now_ = kStart + step.time;
    switch (step.kind) {
      case TimelineStep::packet: take(step); break;
      case TimelineStep::no_packet: show_pending(); break;
      case TimelineStep::end: tracker_.finish(now_); break;
    }
    return std::exchange(events_, {});
  }

  // What the tracker calls.
  void on_packet(Connection& connection, Side, const Segment&) { connection_ = &connection; }
  void on_bytes(Connection& connection, Side sender, const StreamData& data, const Arrival& arrival) {
    const std::int64_t begin = next_of(connection, sender);
    for (std::size_t i = 0; i < data.bytes.size(); ++i) {
      if (data.bytes[i] == TimelineScript::byte_at(is_client(sender), begin + static_cast<std::int64_t>(i))) continue;
      stream_event(connection, "wrong bytes", arrival);
      break;
    }
    const std::uint64_t cut = data.length - data.bytes.size();
    bytes_event(connection, sender, data.length, cut != 0 ? " cut=" + std::to_string(cut) : "", arrival);
  }
  void on_skipped(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    bytes_event(connection, sender, count, " skipped", arrival);
  }
  void on_not_captured(Connection& connection, Side sender, std::uint64_t count, const Arrival& arrival) {
    bytes_event(connection, sender, count, " not captured", arrival);
  }
  void on_retransmitted(Connection& connection, Side sender, std::uint64_t begin, const Arrival& arrival) {
    const std::int64_t offset = next_of(connection, sender) - static_cast<std::int64_t>(connection.stream(sender).next);
    stream_event(connection,
                 direction(sender) + "retransmission from " + std::to_string(offset + static_cast<std::int64_t>(begin)),
                 arrival);
  }
  void on_spurious(Connection& connection, Side sender) {
    event("stream", connection, direction(sender) + "spurious retransmission");
  }
  void on_fin(Connection& connection, Side sender, const Arrival& arrival) {
    stream_event(connection, direction(sender) + "FIN", arrival);
  }
  void on_ending(Connection& connection, Ending ending, Nanos time) {
    const char* const names[] = {"closed", "reset", "refused", "capture end", "replaced", "evicted"};
    event("stream", connection, names[static_cast<int>(ending)] + later(time));
    if (connection.timing != nullptr) states_[connection.number].causes_now = connection.timing->causes();
  }
  void on_gone(Connection& connection) { event("gone", connection, "gone"); }
  std::uint64_t skippable(Connection&, Side) const { return skippable_; }

 private:
  /// What was shown of a connection so far.
  struct State {
    CauseTimes causes, causes_now;
    TcpCounts counts;
    Nanos paths[2] = {kUnknownTime, kUnknownTime};
    std::string handshake;
  };

  void take(const TimelineStep& step) {
    packets_ += 1;
    times_.push_back(now_);
    starts_[{step.ports[0], step.ports[1]}] = {step.starts[0], step.starts[1]};
    PacketRecord record{now_, packets_, step.frame, step.length, kLinkEthernet};
    Segment segment;
    if (decode(record, segment) != DecodeError::none) throw test::ScriptError(0, "a packet cannot be decoded");
    tracker_.process(segment);
    show_state(*connection_);
  }

  void show_state(Connection& connection) {
    State& state = states_[connection.number];
    show_handshake(connection, state);
    if (connection.timing != nullptr) {
      state.causes_now = connection.timing->causes();
      for (const Side side : {Side::low, Side::high}) show_path(connection, side, state.paths[index(side)]);
    }
    event("causes", connection, changes(state.causes, state.causes_now));
    state.causes = state.causes_now;
    event("counts", connection, changes(state.counts, connection.counts));
    state.counts = connection.counts;
  }

  void show_handshake(const Connection& connection, State& state) {
    const Handshake& handshake = connection.handshake;
    std::string text = !connection.client_known ? "" : is_client(connection.client) ? "client is C" : "client is S";
    if (handshake.ack != kUnknownTime) {
      text += ", took " + time_text(handshake.duration()) + ", server_rtt " + time_text(handshake.server_rtt()) +
              ", client_rtt " + time_text(handshake.client_rtt()) + ", max_gap " + time_text(handshake.max_gap);
    }
    if (text != state.handshake) event("handshake", connection, text);
    state.handshake = text;
  }

  void show_path(const Connection& connection, Side side, Nanos& shown) {
    const Nanos path = connection.timing->path_to(side);
    if (path != shown) event("round trips", connection, (is_client(side) ? "to C " : "to S ") + time_text(path));
    shown = path;
  }

  /// What would be attributed if nothing more came.
  void show_pending() {
    if (connection_ == nullptr || connection_->timing == nullptr) return;
    const Timing& timing = *connection_->timing;
    event("causes", *connection_, changes(timing.causes(), timing.causes_until(now_, connection_->client)));
  }

  /// The script's offset of what comes next in a stream.
  std::int64_t next_of(const Connection& connection, Side sender) const {
    const int client = is_client(Side::low) ? 0 : 1;
    const Starts& starts = starts_.at({connection.key.ports[client], connection.key.ports[1 - client]});
    return static_cast<std::int32_t>(connection.stream(sender).next_sequence - starts[is_client(sender) ? 0 : 1]);
  }
  /// C has the lower address.
  static bool is_client(Side side) { return side == Side::low; }
  static std::string direction(Side sender) { return is_client(sender) ? "to_server " : "to_client "; }

  void bytes_event(const Connection& connection, Side sender, std::uint64_t count, const std::string& what,
                   const Arrival& arrival) {
    const std::int64_t begin = next_of(connection, sender);
    const std::int64_t end = begin + static_cast<std::int64_t>(count);
    stream_event(connection, direction(sender) + std::to_string(begin) + ".." + std::to_string(end) + what, arrival);
  }

  /// Says when, where that is not now.
  std::string later(Nanos time) const { return time == now_ ? "" : " at " + time_text(time - kStart); }

  /// With the time of `arrival` where that is not now, and its packet where that did not come then.
  void stream_event(const Connection& connection, std::string what, const Arrival& arrival) {
    what += later(arrival.time);
    const bool is_known = arrival.packet != 0 && arrival.packet <= times_.size();
    if (!is_known || times_[arrival.packet - 1] != arrival.time) what += " packet " + std::to_string(arrival.packet);
    event("stream", connection, what);
  }

  void event(const char* kind, const Connection& connection, const std::string& what) {
    if (shown_.count(kind) == 0 || what.empty()) return;
    events_.push_back((connection.number > 1 ? std::to_string(connection.number) + ": " : "") + what);
  }

  using Starts = std::array<std::uint32_t, 2>;            // of the client and the server
  using Ports = std::pair<std::uint16_t, std::uint16_t>;  // the client's and the server's

  std::set<std::string> shown_;
  std::uint64_t skippable_ = 0;
  TimingObserver<Log> observer_{*this};
  Tracker<TimingObserver<Log>> tracker_{observer_, 0};
  Connection* connection_ = nullptr;  // of the latest packet
  std::map<std::uint64_t, State> states_;
  std::map<Ports, Starts> starts_;  // sequence numbers of offset 0
  std::vector<Nanos> times_;        // of packets
  std::uint64_t packets_ = 0;
  Nanos now_ = 0;
  std::vector<std::string> events_;
};

/// The records that the engine writes of a script's packets, in order.
std::vector<Record> records_of(const TimelineScript& script) {
  struct Writer : RecordWriter {
    void write(const Record& record) override { records.push_back(record); }
    std::vector<Record> records;
  };
  test::PcapWriter file;
  for (const TimelineStep& step : script.steps) {
    if (step.kind == TimelineStep::packet) file.add(kStart + step.time, step.frame, step.length);
  }
  EngineOptions options;
  options.wanted.connections = true;
  const auto ports = script.settings.find("ports");
  if (ports != script.settings.end()) {
    for (const std::string& port : test::split(ports->second, ','))
      options.ports.push_back(static_cast<std::uint16_t>(std::stoul(port)));
  }
  Writer writer;
  Engine engine(options, writer);
  Input input({});
  input.provide(file.bytes(), true);
  engine.run(input, "timeline");
  return writer.records;
}

/// `record` as `expected` shows one, with the columns that it names: "record ending=fin ended_by=client".
std::string chosen_columns(const Record& record, const std::string& expected) {
  std::string text;
  for (const std::string& word : test::split(expected, ' ')) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    text += (text.empty() ? "" : " ") + name + (equals == word.npos ? "" : "=" + test::text_of(record, name));
  }
  return text;
}

/// Adds a line for each record, and for each further line of columns that is expected of it.
void add_records(const TimelineScript& script, const std::vector<std::string>& expected,
                 std::vector<std::string>& events) {
  const auto is_record = [](const std::string& line) { return line.starts_with("record "); };
  auto line = std::find_if(expected.begin(), expected.end(), is_record);
  for (const Record& record : records_of(script)) {
    events.push_back(chosen_columns(record, line != expected.end() ? *line++ : "record connection="));
    for (; line != expected.end() && !is_record(*line); ++line) events.push_back(chosen_columns(record, *line));
  }
}

/// The events of each line of a case.
std::vector<std::vector<std::string>> play(const TimelineCase& now) {
  const TimelineScript script(now);
  std::vector<std::vector<std::string>> events(now.lines.size());
  Log log(now, script);
  const bool has_records = std::find(now.shown.begin(), now.shown.end(), "records") != now.shown.end();
  for (const TimelineStep& step : script.steps) {
    std::vector<std::string>& of_line = events[step.line];
    for (std::string& event : log.play(step)) of_line.push_back(std::move(event));
    if (step.kind == TimelineStep::end && has_records) add_records(script, now.lines[step.line].expected, of_line);
  }
  return events;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

/// Script, expected and actual events side by side; a '!' marks lines that differ.
std::string side_by_side(const TimelineCase& now, const std::vector<std::vector<std::string>>& events) {
  std::string text = "\n" + now.file + ":" + std::to_string(now.number) + ": " + now.heading + "\n";
  const auto row = [&](bool differs, const std::string& number, const std::string& script, const std::string& expected,
                       const std::string& actual) {
    text += padded((differs ? "! " : "  ") + number, 7) + padded(script, 50) + " | " + padded(expected, 40) + " | " +
            actual + "\n";
  };
  row(false, "line", "packet", "expected", "actual");
  for (std::size_t i = 0; i < now.lines.size(); ++i) {
    const TimelineLine& line = now.lines[i];
    const std::size_t rows = std::max<std::size_t>({line.expected.size(), events[i].size(), 1});
    for (std::size_t j = 0; j < rows; ++j) {
      const std::string expected = j < line.expected.size() ? line.expected[j] : "";
      const std::string actual = j < events[i].size() ? events[i][j] : "";
      const bool first = j == 0;
      row(expected != actual, first ? std::to_string(line.number) : "", first ? line.script : "", expected, actual);
    }
  }
  return text;
}

/// Runs a case, and says what is wrong with it.
std::string failure_of(const TimelineCase& now) {
  const std::string place = now.file + ":" + std::to_string(now.number) + ": " + now.heading + "\n";
  if (!now.error.empty()) return place + now.error;
  for (const std::string& kind : now.shown) {
    if (kKinds.count(kind) == 0) return place + "there are no events of kind '" + kind + "'";
  }
  if (now.shown.empty() || now.lines.empty()) return place + "the block shows nothing";
  try {
    const auto events = play(now);
    for (std::size_t i = 0; i < now.lines.size(); ++i) {
      if (now.lines[i].expected != events[i]) return side_by_side(now, events);
    }
  } catch (const test::ScriptError& error) {
    return place + "line " + std::to_string(error.line) + ": " + error.what();
  }
  return {};
}

/// All cases of tests/timelines, by the names of their tests.
std::map<std::string, TimelineCase>& timelines() {
  static std::map<std::string, TimelineCase> all;
  return all;
}

void run_current() {
  const std::string failure = failure_of(timelines().at(doctest::getContextOptions()->currentTest->m_name));
  if (!failure.empty()) FAIL(failure);
}

void add_test(TimelineCase now) {
  std::string name = std::filesystem::path(now.file).filename().string() + ": " + now.heading;
  while (timelines().count(name) != 0) {
    now.error = "another case has this heading";
    name += " (again)";
  }
  const auto added = timelines().emplace(name, std::move(now)).first;
  const TimelineCase& kept = added->second;
  const doctest::detail::TestSuite no_suite = doctest::detail::TestSuite() * "";
  doctest::detail::regTest(
      doctest::detail::TestCase(run_current, kept.file.c_str(), static_cast<unsigned>(kept.number), no_suite) *
      added->first.c_str());
}

std::vector<std::string> timeline_files() {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("tests/timelines", none))
    if (entry.path().extension() == ".md") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// Writes the events that occur into the right column of `path`.
void update(const std::string& path) {
  std::vector<std::string> text;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) text.push_back(line);
  in.close();
  std::vector<std::string> updated;
  int copied = 0;  // lines of `text`
  for (const TimelineCase& now : test::read_timelines(path)) {
    if (!now.error.empty()) continue;
    for (; copied < now.begin - 1; ++copied) updated.push_back(text[static_cast<std::size_t>(copied)]);
    std::vector<std::vector<std::string>> events;
    try {
      events = play(now);
    } catch (const test::ScriptError&) {
      continue;
    }
    // Times are aligned, then the columns.
    std::size_t time_width = 0, width = 0;
    const auto left_of = [&](const std::string& line) {
      const std::string left = test::trimmed(line.substr(0, line.find('|')));
      const std::size_t end = left.find(' ');
      return end == std::string::npos ? left : padded(left.substr(0, end), time_width) + test::trimmed(left.substr(end));
    };
    const auto line_at = [&](int number) -> const std::string& { return text[static_cast<std::size_t>(number - 1)]; };
    for (const TimelineLine& line : now.lines) time_width = std::max(time_width, line.script.find(' ') + 3);
    for (const TimelineLine& line : now.lines) width = std::max(width, left_of(line_at(line.number)).size() + 3);
    updated.push_back(padded(left_of(line_at(now.begin)), width) + line_at(now.begin).substr(line_at(now.begin).find('|')));
    copied += 1;
    std::size_t at = 0;
    for (; copied < now.end - 1; ++copied) {
      const std::string& line = line_at(copied + 1);
      if (at == now.lines.size() || now.lines[at].number != copied + 1) {
        const bool is_event = line.find('|') != std::string::npos && left_of(line).empty();
        if (!is_event) updated.push_back(line);
        continue;
      }
      std::vector<std::string> of_line = events[at++];
      if (of_line.empty()) of_line.emplace_back();
      std::string left = left_of(line);
      for (const std::string& event : of_line) {
        updated.push_back(padded(std::exchange(left, ""), width) + (event.empty() ? "|" : "| ") + event);
      }
    }
  }
  for (; copied < static_cast<int>(text.size()); ++copied) updated.push_back(text[static_cast<std::size_t>(copied)]);
  std::ofstream out(path);
  for (const std::string& line : updated) out << line << "\n";
}

const bool registered = [] {
  const bool updates = std::getenv("UPDATE_TIMELINES") != nullptr;
  for (const std::string& path : timeline_files()) {
    if (updates) update(path);
    for (TimelineCase& now : test::read_timelines(path)) add_test(std::move(now));
  }
  return true;
}();

TEST_CASE("timelines are there, and each of their files has cases") {
  CHECK(timeline_files().size() > 5);
  for (const std::string& path : timeline_files()) CHECK(!test::read_timelines(path).empty());
}

}  // namespace
}  // namespace wirelap
