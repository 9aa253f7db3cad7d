// Runs the timelines, the packet-level tests in tests/timelines/*.md (tests/timelines/README.md has their language).
//
// In: the cases of these files. Each is a doctest test case, "FILE: HEADING", whose place is the heading. Its packets
// go through the decoder and the tracker and, if it shows records, through the engine. Out: a failure prints the
// script, the expected events and the actual ones side by side.
//
// With UPDATE_TIMELINES=1 the events that occur are written to the files instead.
#include "support/timeline.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine.h"
#include "flow/consumer.h"
#include "flow/tracker.h"
#include "support/records.h"
#include "timing/observer.h"
#include "wire/decode.h"

namespace wirelap {
namespace {

using test::ScriptError;
using test::time_text;
using test::TimelineCase;
using test::TimelineLine;
using test::TimelineScript;
using test::TimelineStep;

/// The events of each line of a case.
using Events = std::vector<std::vector<std::string>>;

constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;  // the 0 of each script

// ---- events of the tracker

/// What has changed, as "network +20ms, loss -5ms".
class Changes {
 public:
  void add(const char* name, Nanos change, const std::string& amount) {
    if (change != 0) text_ += (text_.empty() ? "" : ", ") + std::string(name) + (change > 0 ? " +" : " ") + amount;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string changes(const CauseTimes& from, const CauseTimes& to) {
  constexpr const char* kNames[] = {"network", "loss", "server", "client", "window", "ack_delay"};
  static_assert(std::size(kNames) == kCauseCount);
  Changes all;
  for (int cause = 0; cause < kCauseCount; ++cause) {
    const Nanos change = to.by[cause] - from.by[cause];
    all.add(kNames[cause], change, time_text(change));
  }
  return all.text();
}

std::string changes(const TcpCounts& from, const TcpCounts& to) {
  Changes all;
  const auto add = [&](const char* name, std::uint32_t TcpCounts::*count) {
    const Nanos change = Nanos{to.*count} - Nanos{from.*count};
    all.add(name, change, std::to_string(change));
  };
  add("zero_windows", &TcpCounts::zero_windows);
  add("retransmitted", &TcpCounts::retransmitted);
  add("lost", &TcpCounts::lost);
  add("spurious", &TcpCounts::spurious);
  add("out_of_order", &TcpCounts::out_of_order);
  add("duplicate", &TcpCounts::duplicate);
  return all.text();
}

/// Runs the packets of a case through the tracker and writes its events as text. All that the timelines need of
/// src/flow and src/timing is in this class.
class EventLog : public IdleConsumer {
 public:
  EventLog(const TimelineCase& now, const TimelineScript& script) : kinds_(now.kinds.begin(), now.kinds.end()) {
    const auto skippable = script.settings.find("skippable");
    if (skippable != script.settings.end()) skippable_ = std::stoull(skippable->second);
  }

  /// The events of `step`.
  std::vector<std::string> run(const TimelineStep& step) {
    now_ = kStart + step.time;
    switch (step.kind) {
      case TimelineStep::packet: process(step); break;
      case TimelineStep::no_packet: show_pending(step); break;
      case TimelineStep::client_turn: timing(step).expect(Side::low); break;
      case TimelineStep::server_turn: timing(step).expect(Side::high); break;
      case TimelineStep::end: tracker_.finish(now_); break;
    }
    return std::exchange(events_, {});
  }

  // The tracker calls these.
  void on_packet(Connection& connection, Side, const Segment&) { connection_ = &connection; }
  void on_bytes(Connection& connection, Side stream, const StreamData& data, const Arrival& arrival) {
    std::int64_t offset = next_of(connection, stream);
    for (const std::uint8_t byte : data.bytes) {
      if (byte != TimelineScript::byte_at(is_client(stream), offset)) add("stream", connection, "wrong byte");
      offset += 1;
    }
    const std::uint64_t cut = data.length - data.bytes.size();
    add_bytes(connection, stream, data.length, cut != 0 ? " cut=" + std::to_string(cut) : "", arrival);
  }
  void on_skipped(Connection& connection, Side stream, std::uint64_t count, const Arrival& arrival) {
    add_bytes(connection, stream, count, " skipped", arrival);
  }
  void on_not_captured(Connection& connection, Side stream, std::uint64_t count, const Arrival& arrival) {
    add_bytes(connection, stream, count, " not captured", arrival);
  }
  void on_retransmitted(Connection& connection, Side stream, std::uint64_t begin, const Arrival& arrival) {
    const auto distance = static_cast<std::int64_t>(begin - connection.stream(stream).next);
    const std::string offset = std::to_string(next_of(connection, stream) + distance);
    add("stream", connection, direction(stream) + "retransmission from " + offset + time_of(arrival));
  }
  void on_spurious(Connection& connection, Side stream) {
    add("stream", connection, direction(stream) + "spurious retransmission");
  }
  void on_fin(Connection& connection, Side stream, const Arrival& arrival) {
    add("stream", connection, direction(stream) + "FIN" + time_of(arrival));
  }
  void on_ending(Connection& connection, Ending ending, Nanos time) {
    constexpr const char* kNames[] = {"closed", "reset", "refused", "capture end", "replaced", "evicted"};
    add("stream", connection, kNames[static_cast<int>(ending)] + time_of(time));
    if (connection.timing != nullptr) states_[connection.number].causes = connection.timing->causes();
  }
  void on_gone(Connection& connection) { add("gone", connection, "gone"); }
  std::uint64_t skippable(Connection&, Side) const { return skippable_; }

 private:
  using Ports = std::pair<std::uint16_t, std::uint16_t>;  // the client's and the server's
  using Starts = std::array<std::uint32_t, 2>;            // of the client's stream and the server's

  /// The state of a connection, and what was shown of it.
  struct State {
    CauseTimes causes, shown_causes;
    TcpCounts shown_counts;
    Nanos shown_round_trips[2] = {kUnknownTime, kUnknownTime};
    std::string shown_handshake;
  };

  void process(const TimelineStep& step) {
    packet_times_.push_back(now_);
    starts_[{step.ports[0], step.ports[1]}] = {step.starts[0], step.starts[1]};
    const PacketRecord record{now_, packet_times_.size(), step.frame, step.length, kLinkEthernet};
    Segment segment;
    if (decode(record, segment) != DecodeError::none) throw ScriptError(step.number, "the packet is malformed");
    tracker_.process(segment);
    show_state(*connection_);
  }

  /// The timing of the connection of the latest packet.
  Timing& timing(const TimelineStep& step) const {
    if (connection_ == nullptr || connection_->timing == nullptr) throw ScriptError(step.number, "no data so far");
    return *connection_->timing;
  }

  void show_pending(const TimelineStep& step) {
    const CauseTimes pending = timing(step).causes_until(now_, connection_->client);
    add("causes", *connection_, changes(timing(step).causes(), pending));
  }

  void show_state(const Connection& connection) {
    State& state = states_[connection.number];
    show_handshake(connection, state.shown_handshake);
    if (connection.timing != nullptr) {
      state.causes = connection.timing->causes();
      for (const Side side : {Side::low, Side::high})
        show_round_trip(connection, side, state.shown_round_trips[index(side)]);
    }
    add("causes", connection, changes(std::exchange(state.shown_causes, state.causes), state.causes));
    add("counts", connection, changes(std::exchange(state.shown_counts, connection.counts), connection.counts));
  }

  void show_handshake(const Connection& connection, std::string& shown) {
    const Handshake& handshake = connection.handshake;
    std::string text = !connection.client_known ? "" : is_client(connection.client) ? "client is C" : "client is S";
    if (handshake.ack != kUnknownTime) {
      text += ", took " + time_text(handshake.duration()) + ", server_rtt " + time_text(handshake.server_rtt()) +
              ", client_rtt " + time_text(handshake.client_rtt()) + ", max_gap " + time_text(handshake.max_gap);
    }
    if (text != shown) add("handshake", connection, text);
    shown = text;
  }

  void show_round_trip(const Connection& connection, Side side, Nanos& shown) {
    const Nanos round_trip = connection.timing->round_trip_to(side);
    if (round_trip != shown)
      add("round trips", connection, (is_client(side) ? "to C " : "to S ") + time_text(round_trip));
    shown = round_trip;
  }

  // C has the lower address.
  static bool is_client(Side side) { return side == Side::low; }
  static std::string direction(Side stream) { return is_client(stream) ? "to_server " : "to_client "; }

  /// The offset, as the script counts it, of the next byte of a stream.
  std::int64_t next_of(const Connection& connection, Side stream) const {
    const Starts& starts = starts_.at({connection.key.ports[0], connection.key.ports[1]});
    return static_cast<std::int32_t>(connection.stream(stream).next_sequence - starts[is_client(stream) ? 0 : 1]);
  }

  /// " at 40ms" where `time` is not now.
  std::string time_of(Nanos time) const { return time == now_ ? "" : " at " + time_text(time - kStart); }
  /// The same, and the packet where it was not captured at that time.
  std::string time_of(const Arrival& arrival) const {
    const bool is_known = arrival.packet != 0 && arrival.packet <= packet_times_.size();
    const bool fits = is_known && packet_times_[arrival.packet - 1] == arrival.time;
    return time_of(arrival.time) + (fits ? "" : " packet " + std::to_string(arrival.packet));
  }

  void add_bytes(const Connection& connection, Side stream, std::uint64_t count, const std::string& what,
                 const Arrival& arrival) {
    const std::int64_t begin = next_of(connection, stream), end = begin + static_cast<std::int64_t>(count);
    const std::string range = std::to_string(begin) + ".." + std::to_string(end);
    add("stream", connection, direction(stream) + range + what + time_of(arrival));
  }

  void add(const char* kind, const Connection& connection, const std::string& what) {
    if (kinds_.count(kind) == 0 || what.empty()) return;
    events_.push_back((connection.number > 1 ? std::to_string(connection.number) + ": " : "") + what);
  }

  std::set<std::string> kinds_;  // that are shown
  std::uint64_t skippable_ = 0;
  TimingObserver<EventLog> observer_{*this};
  Tracker<TimingObserver<EventLog>> tracker_{observer_, 0};
  Connection* connection_ = nullptr;       // of the latest packet
  std::map<std::uint64_t, State> states_;  // by the connection's number
  std::map<Ports, Starts> starts_;         // sequence numbers of offset 0
  std::vector<Nanos> packet_times_;
  Nanos now_ = 0;
  std::vector<std::string> events_;  // of the step that runs
};

// ---- records of the engine

/// The records of a script's packets, in the order in which the engine writes them.
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

/// The columns of `record` that `expected` names: "record ending=fin ended_by=client".
std::string chosen_columns(const Record& record, const std::string& expected) {
  std::string text;
  for (const std::string& word : test::split(expected, ' ')) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    text += (text.empty() ? "" : " ") + name + (equals == word.npos ? "" : "=" + test::text_of(record, name));
  }
  return text;
}

/// A line for each record, and one for each further line of columns that is expected of it.
std::vector<std::string> record_events(const TimelineScript& script, const std::vector<std::string>& expected) {
  const auto is_record = [](const std::string& line) { return line.starts_with("record "); };
  std::vector<std::string> events;
  auto line = std::find_if(expected.begin(), expected.end(), is_record);
  for (const Record& record : records_of(script)) {
    events.push_back(chosen_columns(record, line != expected.end() ? *line++ : "record connection="));
    for (; line != expected.end() && !is_record(*line); ++line) events.push_back(chosen_columns(record, *line));
  }
  return events;
}

// ---- cases

/// The events of each line of `now`. Throws a ScriptError.
Events run(const TimelineCase& now) {
  static const std::set<std::string> kKinds = {"stream",      "handshake", "causes", "counts",
                                               "round trips", "gone",      "records"};
  const TimelineScript script(now);
  for (const std::string& kind : now.kinds) {
    if (kKinds.count(kind) == 0) throw ScriptError(now.begin, "unknown kind of events '" + kind + "'");
  }
  if (now.kinds.empty()) throw ScriptError(now.begin, "no kind of events");
  const bool has_records = std::find(now.kinds.begin(), now.kinds.end(), "records") != now.kinds.end();
  const bool has_end = !script.steps.empty() && script.steps.back().kind == TimelineStep::end;
  if (has_records && !has_end) throw ScriptError(now.begin, "records are shown at 'end', which is not there");

  Events events(now.lines.size());
  EventLog log(now, script);
  const auto add = [&events](const TimelineStep& step, std::vector<std::string> more) {
    std::vector<std::string>& of_line = events[step.line];
    of_line.insert(of_line.end(), more.begin(), more.end());
  };
  for (const TimelineStep& step : script.steps) add(step, log.run(step));
  if (has_records) add(script.steps.back(), record_events(script, now.lines.back().expected));
  return events;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

/// The script, its expected events and the actual ones. '!' marks a line where these differ.
std::string side_by_side(const TimelineCase& now, const Events& actual) {
  std::string text;
  const auto add_row = [&text](const char* mark, const std::string& number, const std::string& script,
                               const std::string& expected, const std::string& events) {
    text += mark + padded(number, 5) + padded(script, 52) + "| " + padded(expected, 40) + " | " + events + "\n";
  };
  add_row("  ", "line", "packet", "expected", "actual");
  for (std::size_t i = 0; i < now.lines.size(); ++i) {
    const TimelineLine& line = now.lines[i];
    const std::size_t rows = std::max<std::size_t>({line.expected.size(), actual[i].size(), 1});
    for (std::size_t row = 0; row < rows; ++row) {
      const std::string left = row < line.expected.size() ? line.expected[row] : "";
      const std::string right = row < actual[i].size() ? actual[i][row] : "";
      const bool is_first = row == 0;
      add_row(left == right ? "  " : "! ", is_first ? std::to_string(line.number) : "", is_first ? line.script : "",
              left, right);
    }
  }
  return text;
}

/// Runs a case. Returns what is wrong, or nothing.
std::string failure_of(const TimelineCase& now) {
  try {
    const Events events = run(now);
    for (std::size_t i = 0; i < now.lines.size(); ++i) {
      if (now.lines[i].expected != events[i]) return side_by_side(now, events);
    }
    return {};
  } catch (const ScriptError& error) {
    return "line " + std::to_string(error.line) + ": " + error.what() + "\n";
  }
}

// ---- files

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The lines of a case's block with the events that occur, and the columns aligned.
std::vector<std::string> updated_block(const std::vector<std::string>& text, const TimelineCase& now,
                                       const Events& events) {
  const auto line_at = [&text](int number) { return text[static_cast<std::size_t>(number - 1)]; };
  std::size_t time_width = 0, width = 0;
  for (const TimelineLine& line : now.lines) time_width = std::max(time_width, line.script.find(' ') + 3);
  const auto aligned = [&time_width](const std::string& line) {
    const std::string left = test::left_column(line);
    const std::size_t end = std::min(left.find(' '), left.size());
    return padded(left.substr(0, end), time_width) + test::trimmed(left.substr(end));
  };
  for (const TimelineLine& line : now.lines) width = std::max(width, aligned(line.script).size() + 3);

  std::vector<std::string> block = {padded(aligned(line_at(now.begin)), width) + "| " +
                                    test::right_column(line_at(now.begin))};
  std::size_t next = 0;  // of the case's lines
  for (int number = now.begin + 1; number < now.end; ++number) {
    const bool is_packet = next < now.lines.size() && now.lines[next].number == number;
    if (!is_packet) {
      if (line_at(number).starts_with("#")) block.push_back(line_at(number));
      continue;
    }
    std::string left = aligned(line_at(number));
    std::vector<std::string> of_line = events[next++];
    if (of_line.empty()) of_line.emplace_back();
    for (const std::string& event : of_line)
      block.push_back(padded(std::exchange(left, ""), width) + (event.empty() ? "|" : "| ") + event);
  }
  return block;
}

/// Writes the events that occur to the file at `path`. Cases that cannot be run stay as they are.
void update(const std::string& path) {
  const std::vector<std::string> text = read_lines(path);
  std::vector<std::string> updated;
  auto copied = text.begin();
  for (const TimelineCase& now : test::read_timelines(text)) {
    try {
      const std::vector<std::string> block = updated_block(text, now, run(now));
      updated.insert(updated.end(), copied, text.begin() + now.begin - 1);
      updated.insert(updated.end(), block.begin(), block.end());
      copied = text.begin() + now.end - 1;
    } catch (const ScriptError&) {
    }
  }
  updated.insert(updated.end(), copied, text.end());
  std::ofstream file(path);
  for (const std::string& line : updated) file << line << "\n";
}

/// A case of a file.
struct Test {
  std::string path;
  TimelineCase now;
};

/// All cases, by the names of their tests.
std::map<std::string, Test>& all_tests() {
  static std::map<std::string, Test> tests;
  return tests;
}

/// Runs the case that has the name of the current test, or updates its file once.
void run_current_test() {
  const Test& test = all_tests().at(doctest::getContextOptions()->currentTest->m_name);
  if (std::getenv("UPDATE_TIMELINES") != nullptr) {
    static std::set<std::string> updated;
    if (updated.insert(test.path).second) update(test.path);
    return;
  }
  const std::string failure = failure_of(test.now);
  if (!failure.empty()) FAIL("\n", test.path, ":", test.now.number, ": ", test.now.heading, "\n", failure);
}

void add_test(const std::string& path, TimelineCase now) {
  std::string name = std::filesystem::path(path).filename().string() + ": " + now.heading;
  if (all_tests().count(name) != 0) {
    now.error = ScriptError(now.number, "another case of this file has the same heading");
    name += ", line " + std::to_string(now.number);
  }
  const auto added = all_tests().emplace(name, Test{path, std::move(now)}).first;
  const auto line = static_cast<unsigned>(added->second.now.number);
  const doctest::detail::TestSuite no_suite = doctest::detail::TestSuite() * "";
  doctest::detail::regTest(doctest::detail::TestCase(run_current_test, path.c_str(), line, no_suite) *
                           added->first.c_str());
}

std::vector<std::string> timeline_files() {
  std::vector<std::string> files;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator("tests/timelines", missing)) {
    if (entry.path().extension() == ".md") files.push_back(entry.path().string());
  }
  return files;
}

// doctest has no test cases of names that are known at run time, except through what its macros use.
const bool are_added = [] {
  for (const std::string& path : timeline_files()) {
    for (TimelineCase& now : test::read_timelines(read_lines(path))) add_test(path, std::move(now));
  }
  return true;
}();

// ---- the runner itself

TEST_CASE("timeline: every file has cases") {
  CHECK(timeline_files().size() > 10);
  for (const std::string& path : timeline_files()) CHECK(!test::read_timelines(read_lines(path)).empty());
}

/// The failure of the one case in `text`.
std::string failure_of(const std::string& text) {
  const std::vector<TimelineCase> cases = test::read_timelines(test::split(text, '\n'));
  REQUIRE(cases.size() == 1);
  return failure_of(cases[0]);
}

/// A case with these lines from line 4 on.
std::string block(const std::string& lines, const std::string& kinds = "stream") {
  return "# heading\n```timeline\ntime packet | " + kinds + "\n" + lines + "\n```\n";
}

TEST_CASE("timeline: a case passes if exactly the expected events occur") {
  CHECK(failure_of(block("0 handshake\n10ms C > S 0..3 | to_server 0..3\n20ms S > C ack=3")) == "");
  CHECK(failure_of(block("0 C > S 2..4 | to_server 2..4\n# text\n9ms C > S 6..8\n9ms C > S 4..6 | to_server 4..6\n"
                         "| to_server 6..8")) == "");
}

TEST_CASE("timeline: a failure shows expected and actual events side by side") {
  const std::string failure = failure_of(
      block("0 handshake\n10ms C > S 0..3 | to_server 0..4\n20ms C > S 3..5\n30ms end | capture end\n| gone"));
  CHECK(test::split(failure, '\n') ==
        test::split(
            "line packet                                              | expected                                 | "
            "actual\n"
            "4    0 handshake                                         |                                          |\n"
            "! 5    10ms C > S 0..3                                     | to_server 0..4                           | "
            "to_server 0..3\n"
            "! 6    20ms C > S 3..5                                     |                                          | "
            "to_server 3..5\n"
            "7    30ms end                                            | capture end                              | "
            "capture end\n"
            "!                                                          | gone                                     |\n",
            '\n'));
}

TEST_CASE("timeline: a malformed script fails, and the failure names the line") {
  struct Case {
    const char* lines;
    const char* failure;
  };
  const Case cases[] = {
      {"", "line 3: the block is empty"},
      {"| to_server 0..3", "line 4: an event without a packet"},
      {"0 C > S 0..3\n# comment | to_server 0..3", "line 5: an event without a packet"},
      {"soon C > S 0..3", "line 4: 'soon' is not a time"},
      {"10 C > S 0..3", "line 4: '10' is not a time"},
      {"10min C > S 0..3", "line 4: '10min' is not a time"},
      {"10ms", "line 4: a time without a packet"},
      {"10ms C S 0..3", "line 4: expected 'C > S' or 'S > C'"},
      {"10ms C > X 0..3", "line 4: 'X' is neither C nor S"},
      {"10ms C > C 0..3", "line 4: both ends are C"},
      {"10ms C:http > S 0..3", "line 4: 'http' is not a number"},
      {"10ms C > S 3..3", "line 4: the range '3..3' is empty"},
      {"10ms C > S 0..three", "line 4: 'three' is not a number"},
      {"10ms C > S URG", "line 4: unknown word 'URG'"},
      {"10ms C > S ttl=3", "line 4: unknown word 'ttl=3'"},
      {"10ms C > S mss=1460", "line 4: unknown word 'mss=1460'"},
      {"10ms C > S tsecr=1", "line 4: unknown word 'tsecr=1'"},
      {"10ms C > S sack=3", "line 4: '3' is not a range"},
      {"10ms C > S 0..3 seq=4", "line 4: 'seq' is for packets without data"},
      {"10ms C > S 0..3 cut=4", "line 4: 'cut' is longer than the data"},
      {"10ms handshake server-rtt=near", "line 4: 'server-rtt=near' has no time"},
      {"0 C > S 0..3\nset ipv6", "line 5: settings come before the first packet"},
      {"set ipv4\n0 C > S 0..3", "line 4: unknown setting 'ipv4'"},
      {"0 end\n10ms C > S 0..3", "line 5: a line after 'end'"},
      {"0 handshake\n10ms turn of S", "line 5: no data so far"},
      {"10ms no packet", "line 4: no data so far"},
      {"10ms no packets", "line 4: expected 'C > S' or 'S > C'"},
  };
  for (const Case& test : cases) CHECK(failure_of(block(test.lines)) == std::string(test.failure) + "\n");
  CHECK(failure_of(block("0 handshake", "streams")) == "line 3: unknown kind of events 'streams'\n");
  CHECK(failure_of(block("0 handshake", "")) == "line 3: no kind of events\n");
  CHECK(failure_of(block("0 handshake", "records")) == "line 3: records are shown at 'end', which is not there\n");
  CHECK(failure_of(std::string("```timeline\ntime packet | stream\n0 handshake\n```")) ==
        "line 1: the block has no heading of its own\n");
  CHECK(failure_of(std::string("# heading\n```timeline\npacket | stream\n0 handshake\n```")) ==
        "line 3: the first line of a block is 'time packet | KINDS OF EVENTS'\n");
  CHECK(failure_of(std::string("# heading\n```timeline\ntime packet | stream\n0 handshake")) ==
        "line 3: the block has no end\n");
}

}  // namespace
}  // namespace wirelap
