// Reads timelines, the packet-level tests in Markdown: tests/timelines/README.md has their language.
//
// In: the lines of a Markdown file. Out: its cases, each with the events that it expects; and for a case its steps: the
// packets of the script as Ethernet frames, with their times. A word that the language does not have is a ScriptError.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
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

/// An error in a script, and its line in the file (from 1).
struct ScriptError : std::runtime_error {
  ScriptError(int in_line, const std::string& what) : std::runtime_error(what), line(in_line) {}
  int line;
};

/// A line of a script with the events that it expects: those in its right column, and those below it.
struct TimelineLine {
  int number = 0;  ///< in the file, from 1
  std::string script;
  std::vector<std::string> expected;
};

/// A case: a heading with the block of code below it.
struct TimelineCase {
  std::string heading;
  int number = 0;                    ///< line of the heading in the file, from 1
  int begin = 0, end = 0;            ///< lines of the block: the first, which names the columns, and the closing fence
  std::vector<std::string> kinds;    ///< the kinds of events that it shows
  std::vector<TimelineLine> lines;   ///< without comments
  std::optional<ScriptError> error;  ///< why the case cannot be run
};

/// `text` without spaces around it.
inline std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

/// The parts of `text` that are not empty, trimmed.
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

/// The two columns of a block's line.
inline std::string left_column(const std::string& line) { return trimmed(line.substr(0, line.find('|'))); }
inline std::string right_column(const std::string& line) {
  const std::size_t bar = line.find('|');
  return bar == std::string::npos ? "" : trimmed(line.substr(bar + 1));
}

/// Reads the block that begins at `now.begin`, up to its closing fence.
inline void read_block(const std::vector<std::string>& text, TimelineCase& now) {
  const auto line = [&text](int number) -> const std::string& { return text[static_cast<std::size_t>(number - 1)]; };
  const auto fail = [&now](int number, const char* what) {
    if (!now.error) now.error = ScriptError(number, what);
  };
  const int last = static_cast<int>(text.size());
  for (now.end = now.begin; now.end <= last && !line(now.end).starts_with("```");) ++now.end;
  if (now.end > last) return fail(now.begin, "the block has no end");
  if (split(left_column(line(now.begin)), ' ') != std::vector<std::string>{"time", "packet"})
    fail(now.begin, "the first line of a block is 'time packet | KINDS OF EVENTS'");
  now.kinds = split(right_column(line(now.begin)), ',');
  for (int number = now.begin + 1; number < now.end; ++number) {
    const std::string script = left_column(line(number)), event = right_column(line(number));
    const bool is_comment = script.starts_with("#");
    if (!script.empty() && !is_comment) now.lines.push_back({number, script, {}});
    if (event.empty()) continue;
    if (is_comment || now.lines.empty()) return fail(number, "an event without a packet");
    now.lines.back().expected.push_back(event);
  }
  if (now.lines.empty()) fail(now.begin, "the block is empty");
}

/// The cases of a Markdown file, in order.
inline std::vector<TimelineCase> read_timelines(const std::vector<std::string>& text) {
  std::vector<TimelineCase> cases;
  std::string heading;
  int heading_number = 0;
  for (int number = 1; number <= static_cast<int>(text.size()); ++number) {
    const std::string& line = text[static_cast<std::size_t>(number - 1)];
    if (line.starts_with("#")) {
      heading = trimmed(line.substr(line.find_first_not_of('#')));
      heading_number = number;
    }
    if (line != "```timeline") continue;
    TimelineCase now{heading, heading_number, number + 1, 0, {}, {}, {}};
    if (heading.empty()) now.error = ScriptError(number, "the block has no heading of its own");
    read_block(text, now);
    number = now.end;
    heading.clear();
    cases.push_back(std::move(now));
  }
  return cases;
}

/// Reads "20ms", "1.5s", "100us", "7ns" or "0".
inline std::optional<Nanos> parse_time(std::string_view text) {
  std::size_t at = 0;
  Nanos value = 0, divisor = 1;
  bool has_point = false;
  for (; at < text.size() && (std::isdigit(text[at]) != 0 || (text[at] == '.' && !has_point)); ++at) {
    if (text[at] == '.') {
      has_point = true;
      continue;
    }
    value = value * 10 + (text[at] - '0');
    if (has_point) divisor *= 10;
  }
  if (text == "0") return 0;
  for (const auto& [unit, nanos] : std::initializer_list<std::pair<std::string_view, Nanos>>{
           {"s", kNanosPerSecond}, {"ms", 1'000'000}, {"us", kNanosPerMicro}, {"ns", 1}}) {
    if (at != 0 && text.substr(at) == unit) return value * nanos / divisor;
  }
  return {};
}

/// A duration in milliseconds, below one millisecond in microseconds.
inline std::string time_text(Nanos time) {
  if (time == kUnknownTime) return "unknown";
  const Nanos size = std::abs(time);
  const bool is_small = size != 0 && size < 1'000'000;
  const Nanos unit = is_small ? kNanosPerMicro : 1'000'000;
  std::string decimals = std::to_string(size % unit + unit).substr(1);
  decimals.erase(decimals.find_last_not_of('0') + 1);
  return (time < 0 ? "-" : "") + std::to_string(size / unit) + (decimals.empty() ? "" : "." + decimals) +
         (is_small ? "us" : "ms");
}

/// One step of a script.
struct TimelineStep {
  enum Kind { packet, no_packet, client_turn, server_turn, end } kind = packet;
  std::size_t line = 0;  ///< index in TimelineCase::lines
  int number = 0;        ///< line in the file, from 1
  Nanos time = 0;        ///< since time 0 of the script
  // Only for a packet:
  Buffer frame;                      ///< the captured bytes
  std::uint32_t length = 0;          ///< bytes on the wire
  std::uint16_t ports[2] = {0, 0};   ///< of the client and of the server
  std::uint32_t starts[2] = {0, 0};  ///< sequence numbers of offset 0 in both streams
};

/// The steps of a case.
class TimelineScript {
 public:
  explicit TimelineScript(const TimelineCase& from) {
    if (from.error) throw *from.error;
    for (line_ = 0; line_ < from.lines.size(); ++line_) {
      number_ = from.lines[line_].number;
      read(split(from.lines[line_].script, ' '));
    }
  }

  std::vector<TimelineStep> steps;
  std::map<std::string, std::string> settings;  ///< the settings of `set` lines

  /// The byte at `offset` of every stream. No protocol that wirelap knows begins with it.
  static std::uint8_t byte_at(bool from_client, std::int64_t offset) {
    return static_cast<std::uint8_t>((from_client ? 0x80 : 0xc0) + (offset & 0x3f));
  }

 private:
  using Words = std::vector<std::string>;
  using Range = std::pair<std::int64_t, std::int64_t>;

  /// One end of a connection.
  struct End {
    std::uint32_t start;            // sequence number of offset 0 in its stream
    std::uint16_t id;               // IP ID of its next packet
    std::uint16_t window = 65535;   // window of its last packet
    std::int64_t position = 0;      // offset after the bytes that it has sent
    std::int64_t acknowledged = 0;  // offset in the other stream that its last packet acknowledges
  };

  /// A packet while its words are read.
  struct Draft {
    End &from, &to;
    SegmentSpec spec = {};
    bool is_syn = false;
    bool is_captured = true;
    std::optional<Range> data = {};
    std::optional<std::int64_t> sequence = {};
    std::int64_t cut = 0;
  };

  [[noreturn]] void fail(const std::string& what) const { throw ScriptError(number_, what); }

  void read(Words words) {
    if (words[0] == "set") return read_settings(words);
    const std::optional<Nanos> time = parse_time(words[0]);
    if (!time) fail("'" + words[0] + "' is not a time");
    time_ = *time;
    words.erase(words.begin());
    if (words.empty()) fail("a time without a packet");
    if (words[0] == "handshake") return read_handshake(words);
    if (words == Words{"end"}) return void(add(TimelineStep::end));
    if (words == Words{"no", "packet"}) return void(add(TimelineStep::no_packet));
    if (words == Words{"turn", "of", "C"}) return void(add(TimelineStep::client_turn));
    if (words == Words{"turn", "of", "S"}) return void(add(TimelineStep::server_turn));
    if (words.size() < 3 || words[1] != ">") fail("expected 'C > S' or 'S > C'");
    const auto [from, from_port] = read_end(words[0]);
    const auto [to, to_port] = read_end(words[2]);
    if (from == to) fail("both ends are " + std::string(1, from));
    words.erase(words.begin(), words.begin() + 3);
    if (from == 'C')
      read_packet(true, from_port, to_port, words);
    else
      read_packet(false, to_port, from_port, words);
  }

  void read_settings(const Words& words) {
    if (!steps.empty()) fail("settings come before the first packet");
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      if (name != "ipv6" && name != "skippable" && name != "ports") fail("unknown setting '" + name + "'");
      settings[name] = equals == std::string::npos ? "" : words[i].substr(equals + 1);
    }
  }

  /// Reads an end, such as "C" or "S:443". Returns 'C' or 'S' and the port.
  std::pair<char, std::uint16_t> read_end(const std::string& word) const {
    const bool is_end = word[0] == 'C' || word[0] == 'S';
    if (!is_end || (word.size() > 1 && word[1] != ':')) fail("'" + word + "' is neither C nor S");
    if (word.size() > 1) return {word[0], static_cast<std::uint16_t>(parse_number(word.substr(2)))};
    return {word[0], word[0] == 'C' ? kClientPort : kServerPort};
  }

  std::int64_t parse_number(const std::string& text) const {
    const std::size_t digits = text.starts_with('-') ? 1 : 0;
    const bool is_number =
        text.size() > digits && text.size() < 19 && text.find_first_not_of("0123456789", digits) == std::string::npos;
    if (!is_number) fail("'" + text + "' is not a number");
    return std::stoll(text);
  }

  Range parse_range(const std::string& text) const {
    const std::size_t dots = text.find("..");
    if (dots == std::string::npos) fail("'" + text + "' is not a range");
    const Range range{parse_number(text.substr(0, dots)), parse_number(text.substr(dots + 2))};
    if (range.second <= range.first) fail("the range '" + text + "' is empty");
    return range;
  }

  void read_handshake(const Words& words) {
    Nanos round_trips[2] = {0, 0};
    Words options;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const bool to_server = words[i].starts_with("server-rtt="), to_client = words[i].starts_with("client-rtt=");
      if (!to_server && !to_client) {
        options.push_back(words[i]);
        continue;
      }
      const std::optional<Nanos> time = parse_time(words[i].substr(words[i].find('=') + 1));
      if (!time) fail("'" + words[i] + "' has no time");
      round_trips[to_server ? 0 : 1] = *time;
    }
    options.insert(options.begin(), "SYN");
    read_packet(true, kClientPort, kServerPort, options);
    time_ += round_trips[0];
    options[0] = "SYN-ACK";
    read_packet(false, kClientPort, kServerPort, options);
    time_ += round_trips[1];
    read_packet(true, kClientPort, kServerPort, {"ACK"});
  }

  void read_packet(bool from_client, std::uint16_t client_port, std::uint16_t server_port, const Words& words) {
    const auto [connection, is_new] = ends_.try_emplace({client_port, server_port});
    // The sequence numbers of both streams wrap within the first bytes.
    if (is_new) connection->second = {End{0xfffffff0, 1000}, End{0xfffffff8, 7000}};
    std::vector<End>& ends = connection->second;
    Draft draft{ends[from_client ? 0 : 1], ends[from_client ? 1 : 0]};
    for (const char* const syn : {"SYN", "SYN-ACK"})
      draft.is_syn = draft.is_syn || std::find(words.begin(), words.end(), syn) != words.end();
    for (std::size_t i = 0; i < words.size(); ++i) read_word(draft, words, i);

    End& from = draft.from;
    SegmentSpec& spec = draft.spec;
    if (draft.data && draft.sequence) fail("'seq' is for packets without data");
    const std::int64_t begin =
        draft.data ? draft.data->first : draft.sequence.value_or(draft.is_syn ? 0 : from.position);
    const std::int64_t end = draft.data ? draft.data->second : begin;
    if (draft.cut > end - begin) fail("'cut' is longer than the data");
    for (std::int64_t i = begin; i < end; ++i) spec.payload += static_cast<char>(byte_at(from_client, i));
    spec.sequence = from.start + static_cast<std::uint32_t>(begin) - (draft.is_syn ? 1 : 0);
    if ((spec.flags & kAck) != 0) spec.acknowledgment = draft.to.start + static_cast<std::uint32_t>(from.acknowledged);
    spec.window = from.window;
    spec.ip_id = from.id++;
    from.position = std::max(from.position, end + ((spec.flags & kFin) != 0 ? 1 : 0));
    if (!draft.is_captured) return;

    const bool is_ipv6 = settings.count("ipv6") != 0;
    spec.source = is_ipv6 ? "fd00::1" : "10.0.0.1";
    spec.destination = is_ipv6 ? "fd00::2" : "10.0.0.2";
    spec.source_port = client_port;
    spec.destination_port = server_port;
    if (!from_client) {
      std::swap(spec.source, spec.destination);
      std::swap(spec.source_port, spec.destination_port);
    }
    TimelineStep& step = add(TimelineStep::packet);
    step.frame = ethernet_frame(spec);
    step.length = static_cast<std::uint32_t>(step.frame.size());
    step.frame.resize(step.frame.size() - static_cast<std::size_t>(draft.cut));
    step.ports[0] = client_port;
    step.ports[1] = server_port;
    step.starts[0] = ends[0].start;
    step.starts[1] = ends[1].start;
  }

  void read_word(Draft& draft, const Words& words, std::size_t i) const {
    const std::string& word = words[i];
    const std::size_t equals = word.find('=');
    SegmentSpec& spec = draft.spec;
    if (equals != std::string::npos) {
      if (!read_field(draft, word.substr(0, equals), word.substr(equals + 1)) && !read_option(draft, words, i))
        fail("unknown word '" + word + "'");
    } else if (word.find("..") != std::string::npos) {
      draft.data = parse_range(word);
    } else if (word == "lost" || word == "not-captured") {
      draft.is_captured = false;
    } else if (word == "sack" && draft.is_syn) {
      const bool timestamps_follow = i + 1 < words.size() && words[i + 1].starts_with("tsval=");
      append(spec.options, timestamps_follow ? Buffer{4, 2} : Buffer{1, 1, 4, 2});
    } else {
      read_flags(spec, word);
    }
  }

  void read_flags(SegmentSpec& spec, const std::string& word) const {
    static const std::map<std::string, int> kFlags = {{"ACK", kAck},        {"SYN", kSyn}, {"SYN-ACK", kSyn | kAck},
                                                      {"FIN", kFin | kAck}, {"RST", kRst}, {"RST-ACK", kRst | kAck},
                                                      {"PSH", kPsh | kAck}};
    const auto flags = kFlags.find(word);
    if (flags == kFlags.end()) fail("unknown word '" + word + "'");
    if (word == "SYN" || word == "RST") spec.flags = 0;
    spec.flags = static_cast<std::uint8_t>(spec.flags | flags->second);
  }

  /// Reads NAME=VALUE for a field of a header, or for the number of bytes cut from the packet. Returns false for any
  /// other name.
  bool read_field(Draft& draft, const std::string& name, const std::string& text) const {
    if (name == "seq")
      draft.sequence = parse_number(text);
    else if (name == "ack")
      draft.from.acknowledged = parse_number(text);
    else if (name == "win")
      draft.from.window = static_cast<std::uint16_t>(parse_number(text));
    else if (name == "id")
      draft.from.id = static_cast<std::uint16_t>(parse_number(text));
    else if (name == "cut")
      draft.cut = parse_number(text);
    else if (name == "isn" && draft.is_syn)
      begin_again(draft, static_cast<std::uint32_t>(parse_number(text)) + 1);
    else
      return false;
    return true;
  }

  static void begin_again(Draft& draft, std::uint32_t start) {
    draft.from.start = start;
    draft.from.position = 0;
    draft.to.acknowledged = 0;
  }

  /// Reads NAME=VALUE for a TCP option, and adds it with NOPs before it, as Linux does. Returns false for any other
  /// name.
  bool read_option(Draft& draft, const Words& words, std::size_t i) const {
    Buffer& options = draft.spec.options;
    const std::string name = words[i].substr(0, words[i].find('='));
    const std::string text = words[i].substr(name.size() + 1);
    if (name == "mss" && draft.is_syn) {
      append(options, Buffer{2, 4});
      put16(options, static_cast<unsigned>(parse_number(text)));
    } else if (name == "wscale" && draft.is_syn) {
      append(options, Buffer{1, 3, 3, static_cast<std::uint8_t>(parse_number(text))});
    } else if (name == "tsval") {
      const bool after_sack = draft.is_syn && i > 0 && words[i - 1] == "sack";
      append(options, after_sack ? Buffer{8, 10} : Buffer{1, 1, 8, 10});
      const bool echoes = i + 1 < words.size() && words[i + 1].starts_with("tsecr=");
      put32(options, static_cast<std::uint32_t>(parse_number(text)));
      put32(options, echoes ? static_cast<std::uint32_t>(parse_number(words[i + 1].substr(6))) : 0);
    } else if (name == "tsecr") {
      return i > 0 && words[i - 1].starts_with("tsval=");  // tsval has added it
    } else if (name == "sack" && !draft.is_syn) {
      const Words blocks = split(text, ',');
      append(options, Buffer{1, 1, 5, static_cast<std::uint8_t>(2 + 8 * blocks.size())});
      for (const std::string& block : blocks) {
        const Range range = parse_range(block);
        put32(options, draft.to.start + static_cast<std::uint32_t>(range.first));
        put32(options, draft.to.start + static_cast<std::uint32_t>(range.second));
      }
    } else {
      return false;
    }
    return true;
  }

  TimelineStep& add(TimelineStep::Kind kind) {
    if (!steps.empty() && steps.back().kind == TimelineStep::end) fail("a line after 'end'");
    TimelineStep step;
    step.kind = kind;
    step.line = line_;
    step.number = number_;
    step.time = time_;
    steps.push_back(std::move(step));
    return steps.back();
  }

  static constexpr std::uint16_t kClientPort = 40000, kServerPort = 80;

  std::map<std::pair<std::uint16_t, std::uint16_t>, std::vector<End>> ends_;  // by the client's and the server's port
  std::size_t line_ = 0;                                                      // the line being read, in the case
  int number_ = 0;                                                            // and in the file
  Nanos time_ = 0;
};

}  // namespace wirelap::test
