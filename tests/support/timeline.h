// Reads timelines: packets and the events that they cause, side by side, in Markdown (tests/timelines/README.md).
//
// In: a Markdown file. Out: its cases, each with its lines, what is expected of each, and the packets of the script
// as Ethernet frames. Whatever a script has that is not in the README is a ScriptError.
#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "support/packets.h"

namespace wirelap::test {

/// What is wrong with a script, and in which line of its file.
struct ScriptError : std::runtime_error {
  ScriptError(int at, const std::string& what) : std::runtime_error(what), line(at) {}
  int line;
};

/// One line of a script with the events that are expected of it: its own, and those of the lines below it that have
/// nothing in their first column.
struct TimelineLine {
  int number = 0;  ///< in the file, from 1
  std::string script;
  std::vector<std::string> expected;
};

/// One case: a heading with its block.
struct TimelineCase {
  std::string file;
  std::string heading;
  int number = 0;                  ///< the heading's line, from 1
  std::vector<std::string> shown;  ///< kinds of events, from the block's first line
  std::vector<TimelineLine> lines;
  int begin = 0, end = 0;  ///< lines of the block, its first (the column names) and the one past its last
  std::string error;       ///< empty, or why it is none
};

inline std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    const std::string part = trimmed(text.substr(0, end));
    if (!part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// The cases of the Markdown file at `path`, in order.
inline std::vector<TimelineCase> read_timelines(const std::string& path) {
  std::vector<TimelineCase> cases;
  std::ifstream file(path);
  std::string heading, text;
  int heading_number = 0;
  bool inside = false;
  for (int number = 1; std::getline(file, text); ++number) {
    if (!inside && text.starts_with("#")) {
      heading = trimmed(text.substr(text.find_first_not_of('#')));
      heading_number = number;
    }
    if (text.starts_with("```")) {
      const bool begins = !inside && text == "```timeline";
      if (begins) {
        cases.push_back({path, heading, heading_number, {}, {}, number + 1, 0, {}});
        heading.clear();
        if (cases.back().heading.empty()) cases.back().error = "a heading has two blocks, or a block none";
      }
      inside = begins || (!inside && !text.starts_with("```timeline") && text.size() > 3);
      if (!begins && !cases.empty() && cases.back().end == 0) cases.back().end = number;
      continue;
    }
    if (!inside || cases.empty() || cases.back().end != 0) continue;
    TimelineCase& now = cases.back();
    const std::size_t bar = text.find('|');
    const std::string script = trimmed(text.substr(0, bar)), event = bar == text.npos ? "" : trimmed(text.substr(bar + 1));
    if (number == now.begin) {
      if (script != "time packet" && script.find("time ") != 0) now.error = "the first line names the columns";
      now.shown = split(event, ',');
      continue;
    }
    const bool is_comment = script.starts_with("#");
    if (!script.empty() && !is_comment) now.lines.push_back({number, script, {}});
    if (event.empty()) continue;
    if (now.lines.empty() || is_comment) {
      now.error = "line " + std::to_string(number) + ": an event needs a packet before it";
    } else {
      now.lines.back().expected.push_back(event);
    }
  }
  if (!cases.empty() && cases.back().end == 0) cases.back().error = "the block does not end";
  return cases;
}

/// "20ms", "1.5s", "100us", "7ns" or "0". Nothing else has a value.
inline std::optional<Nanos> parse_time(std::string_view text) {
  std::size_t at = 0;
  Nanos value = 0, decimals = 1;
  bool point = false;
  for (; at < text.size() && (std::isdigit(text[at]) != 0 || (text[at] == '.' && !point)); ++at) {
    point = point || text[at] == '.';
    if (text[at] == '.') continue;
    value = value * 10 + (text[at] - '0');
    if (point) decimals *= 10;
  }
  const std::string_view unit = text.substr(at);
  if (at == 0) return {};
  if (unit.empty()) return value == 0 ? std::optional<Nanos>(0) : std::nullopt;
  for (const auto& [name, nanos] : std::initializer_list<std::pair<std::string_view, Nanos>>{
           {"s", kNanosPerSecond}, {"ms", 1'000'000}, {"us", kNanosPerMicro}, {"ns", 1}}) {
    if (unit == name) return value * nanos / decimals;
  }
  return {};
}

/// Milliseconds, or microseconds where it is less than one.
inline std::string time_text(Nanos time) {
  if (time == kUnknownTime) return "unknown";
  const bool small = time != 0 && time < 1'000'000 && time > -1'000'000;
  const Nanos unit = small ? kNanosPerMicro : 1'000'000;
  std::string text = std::to_string(time / unit);
  if (time < 0 && time > -unit) text = "-" + text;
  std::string rest = std::to_string(std::abs(time % unit) + unit).substr(1);
  rest.erase(rest.find_last_not_of('0') + 1);
  if (!rest.empty()) text += "." + rest;
  return text + (small ? "us" : "ms");
}

/// What happens next: a packet is captured, or time passes.
struct TimelineStep {
  enum Kind { packet, no_packet, end } kind = packet;
  std::size_t line = 0;  ///< in TimelineCase::lines
  Nanos time = 0;        ///< from the script's 0 on
  Buffer frame;          ///< of a packet, as far as it was captured
  std::uint32_t length = 0;
  std::uint16_t ports[2] = {0, 0};   ///< the client's and the server's
  std::uint32_t starts[2] = {0, 0};  ///< sequence numbers of offset 0, the client's and the server's, from here on
};

/// Makes packets of a script's lines.
class TimelineScript {
 public:
  explicit TimelineScript(const TimelineCase& from) {
    for (std::size_t i = 0; i < from.lines.size(); ++i) {
      const TimelineLine& line = from.lines[i];
      line_ = i;
      number_ = line.number;
      read(split(line.script, ' '));
    }
  }

  std::vector<TimelineStep> steps;
  std::map<std::string, std::string> settings;  ///< by `set`

  /// What a stream carries at `offset`: nothing that a protocol begins with.
  static std::uint8_t byte_at(bool from_client, std::int64_t offset) {
    return static_cast<std::uint8_t>((from_client ? 0x80 : 0xc0) + (offset & 0x3f));
  }

 private:
  using Words = std::vector<std::string>;

  /// What an end of a connection has sent so far.
  struct End {
    std::uint32_t start;            // sequence number of its offset 0
    std::int64_t position = 0;      // past all that it sent
    std::int64_t acknowledged = 0;  // of the other's stream, as it said last
    std::uint16_t id;               // of its next packet
    std::uint16_t window = 65535;   // as it said last
  };

  [[noreturn]] void fail(const std::string& what) const { throw ScriptError(number_, what); }

  void read(Words words) {
    if (words[0] == "set") return read_settings(words);
    const std::optional<Nanos> time = parse_time(words[0]);
    if (!time) fail("'" + words[0] + "' is no time");
    words.erase(words.begin());
    if (words.empty()) fail("nothing happens then");
    if (words[0] == "end" && words.size() == 1) return add({TimelineStep::end, line_, *time, {}, 0, {}, {}});
    if (words[0] == "no" && words.size() == 2 && words[1] == "packet")
      return add({TimelineStep::no_packet, line_, *time, {}, 0, {}, {}});
    if (words[0] == "handshake") return read_handshake(*time, words);
    if (words.size() < 3 || words[1] != ">") fail("expected 'C > S' or 'S > C'");
    const bool from_client = words[0][0] == 'C';
    const auto [from, from_port] = read_end(words[0]);
    const auto [to, to_port] = read_end(words[2]);
    if (from == to) fail("nobody sends to itself");
    words.erase(words.begin(), words.begin() + 3);
    read_packet(*time, from_client, from_client ? from_port : to_port, from_client ? to_port : from_port, words);
  }

  void read_settings(const Words& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      if (name != "ipv6" && name != "skippable" && name != "ports") fail("no setting '" + name + "'");
      settings[name] = equals == std::string::npos ? "" : words[i].substr(equals + 1);
    }
  }

  /// "C", "S:443": who, and the port.
  std::pair<char, std::uint16_t> read_end(const std::string& word) const {
    const char who = word[0];
    if ((who != 'C' && who != 'S') || (word.size() > 1 && word[1] != ':')) fail("'" + word + "' is neither C nor S");
    const std::string port = word.size() > 1 ? word.substr(2) : who == 'C' ? "40000" : "80";
    return {who, static_cast<std::uint16_t>(number_of(port))};
  }

  std::int64_t number_of(const std::string& text) const {
    const std::size_t digits = text.starts_with('-') ? 1 : 0;
    if (text.size() == digits || text.size() > 18 ||
        text.find_first_not_of("0123456789", digits) != std::string::npos)
      fail("'" + text + "' is no number");
    return std::stoll(text);
  }

  std::pair<std::int64_t, std::int64_t> range_of(const std::string& text) const {
    const std::size_t dots = text.find("..");
    if (dots == std::string::npos) fail("'" + text + "' is no range");
    const std::pair range{number_of(text.substr(0, dots)), number_of(text.substr(dots + 2))};
    if (range.second <= range.first) fail("'" + text + "' is empty");
    return range;
  }

  /// SYN, SYN-ACK and ACK, with the time that they take from the capture point to the server and to the client.
  void read_handshake(Nanos time, const Words& words) {
    Nanos to_server = 0, to_client = 0;
    Words options;
    for (std::size_t i = 1; i < words.size(); ++i) {
      Nanos* const rtt = words[i].starts_with("server-rtt=")   ? &to_server
                         : words[i].starts_with("client-rtt=") ? &to_client
                                                               : nullptr;
      if (rtt == nullptr) {
        options.push_back(words[i]);
        continue;
      }
      const std::optional<Nanos> value = parse_time(words[i].substr(words[i].find('=') + 1));
      if (!value) fail("'" + words[i] + "' has no time");
      *rtt = *value;
    }
    Words syn{"SYN"}, syn_ack{"SYN-ACK"};
    for (Words* const both : {&syn, &syn_ack}) both->insert(both->end(), options.begin(), options.end());
    read_packet(time, true, 40000, 80, syn);
    read_packet(time + to_server, false, 40000, 80, syn_ack);
    read_packet(time + to_server + to_client, true, 40000, 80, {"ACK"});
  }

  void read_packet(Nanos time, bool from_client, std::uint16_t client_port, std::uint16_t server_port,
                   const Words& words) {
    const auto [connection, is_new] = ends_.try_emplace({client_port, server_port});
    // Both wrap within the first bytes of a stream, the server's sooner.
    if (is_new) connection->second = {End{0xfffffff0, 0, 0, 1000}, End{0xfffffff8, 0, 0, 7000}};
    End& from = connection->second[from_client ? 0 : 1];
    End& to = connection->second[from_client ? 1 : 0];
    SegmentSpec spec;
    std::optional<std::pair<std::int64_t, std::int64_t>> data;
    std::optional<std::int64_t> sequence;
    std::size_t cut = 0;
    bool captured = true, pushed = false;
    const bool is_syn = std::find(words.begin(), words.end(), "SYN") != words.end() ||
                        std::find(words.begin(), words.end(), "SYN-ACK") != words.end();
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const auto value = [&] { return number_of(word.substr(equals + 1)); };
      if (equals == std::string::npos && word.find("..") != std::string::npos) {
        data = range_of(word);
      } else if (word == "ACK") {
        spec.flags = kAck;
      } else if (word == "SYN") {
        spec.flags = kSyn;
      } else if (word == "SYN-ACK") {
        spec.flags = kSyn | kAck;
      } else if (word == "FIN") {
        spec.flags = kFin | kAck;
      } else if (word == "RST") {
        spec.flags = kRst;
      } else if (word == "RST-ACK") {
        spec.flags = kRst | kAck;
      } else if (word == "PSH") {
        pushed = true;
      } else if (word == "lost" || word == "not-captured") {
        captured = false;
      } else if (word == "sack" && is_syn) {
        const bool with_clock = i + 1 < words.size() && words[i + 1].starts_with("tsval=");
        append(spec.options, with_clock ? Buffer{4, 2} : Buffer{1, 1, 4, 2});
      } else if (equals == std::string::npos) {
        fail("'" + word + "' is no word for a packet");
      } else if (name == "seq") {
        sequence = value();
      } else if (name == "ack") {
        from.acknowledged = value();
      } else if (name == "win") {
        from.window = static_cast<std::uint16_t>(value());
      } else if (name == "id") {
        from.id = static_cast<std::uint16_t>(value());
      } else if (name == "cut") {
        cut = static_cast<std::size_t>(value());
      } else if (name == "isn" && is_syn) {
        from.start = static_cast<std::uint32_t>(value()) + 1;
        from.position = to.acknowledged = 0;
      } else if (name == "mss" && is_syn) {
        append(spec.options, {{2, 4, static_cast<std::uint8_t>(value() >> 8), static_cast<std::uint8_t>(value())}});
      } else if (name == "wscale" && is_syn) {
        append(spec.options, {{1, 3, 3, static_cast<std::uint8_t>(value())}});
      } else if (name == "tsval") {
        const bool after_sack = is_syn && i > 0 && words[i - 1] == "sack";
        if (!after_sack) append(spec.options, {{1, 1}});
        append(spec.options, {{8, 10}});
        put32(spec.options, static_cast<std::uint32_t>(value()));
        const bool echoes = i + 1 < words.size() && words[i + 1].starts_with("tsecr=");
        put32(spec.options, echoes ? static_cast<std::uint32_t>(number_of(words[++i].substr(6))) : 0);
      } else if (name == "sack" && !is_syn) {
        append_sack(spec.options, word.substr(equals + 1), to.start);
      } else {
        fail("'" + word + "' is no option of this packet");
      }
    }
    if (pushed) spec.flags |= kPsh;
    const std::int64_t begin = data ? data->first : sequence.value_or(is_syn ? 0 : from.position);
    const std::int64_t end = data ? data->second : begin;
    if (data && sequence) fail("a packet with data has its sequence number from that");
    if (cut > static_cast<std::size_t>(end - begin)) fail("no more than its data are cut off");
    for (std::int64_t i = begin; i < end; ++i) spec.payload += static_cast<char>(byte_at(from_client, i));
    spec.sequence = from.start + static_cast<std::uint32_t>(begin) - (is_syn ? 1 : 0);
    if ((spec.flags & kAck) != 0) spec.acknowledgment = to.start + static_cast<std::uint32_t>(from.acknowledged);
    spec.window = from.window;
    spec.source_port = from_client ? client_port : server_port;
    spec.destination_port = from_client ? server_port : client_port;
    const bool is_ipv6 = settings.count("ipv6") != 0;
    spec.source = is_ipv6 ? "fd00::1" : "10.0.0.1";
    spec.destination = is_ipv6 ? "fd00::2" : "10.0.0.2";
    if (!from_client) std::swap(spec.source, spec.destination);
    spec.ip_id = from.id++;
    from.position = std::max(from.position, end + ((spec.flags & kFin) != 0 ? 1 : 0));
    if (!captured) return;
    Buffer frame = ethernet_frame(spec);
    const auto length = static_cast<std::uint32_t>(frame.size());
    frame.resize(frame.size() - cut);
    const std::vector<End>& ends = connection->second;
    add({TimelineStep::packet, line_, time, std::move(frame), length, {client_port, server_port},
         {ends[0].start, ends[1].start}});
  }

  /// "2000..3000,4000..5000", of the stream that starts at `start`.
  void append_sack(Buffer& options, const std::string& text, std::uint32_t start) const {
    const Words blocks = split(text, ',');
    append(options, {{1, 1, 5, static_cast<std::uint8_t>(2 + 8 * blocks.size())}});
    for (const std::string& block : blocks) {
      const auto [left, right] = range_of(block);
      put32(options, start + static_cast<std::uint32_t>(left));
      put32(options, start + static_cast<std::uint32_t>(right));
    }
  }

  void add(TimelineStep step) {
    if (!steps.empty() && steps.back().kind == TimelineStep::end) fail("nothing comes after the end");
    steps.push_back(std::move(step));
  }

  std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<End>> ends_;
  std::size_t line_ = 0;  // of the case's lines
  int number_ = 0;        // and in the file
};

}  // namespace wirelap::test
