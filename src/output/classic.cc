#include "output/classic.h"

#include <algorithm>

#include "output/escape.h"

namespace wirelap {
namespace {

constexpr std::string_view kFlagNames[] = {"LAST_PACKET_SHORT", "IPID_GAP", "OUT_OF_ORDER", "9000"};
constexpr std::uint8_t kLastShort = 1, kIdGap = 2, kOutOfOrder = 4, kNineThousand = 8;

std::int64_t micros(Nanos time) { return time / kNanosPerMicro; }

/// A segment of the usual sizes, with and without timestamps.
bool is_full(const Segment& segment) { return segment.data_length == 1448 || segment.data_length == 1460; }

bool begins_get(const Segment& segment) {
  return segment.data.size() >= 3 && std::memcmp(segment.data.data(), "GET", 3) == 0;
}

void put_signed(Output& output, std::int64_t value) {
  if (value < 0) output.put('-');
  output.put_integer(value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
}

}  // namespace

// The digits of the integer are enough: 15 digits distinguish any two doubles, and so do 16 with six decimals, because
// times in captures are below 2^33 s.
std::string python_seconds(std::int64_t micros) {
  const auto magnitude = micros < 0 ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
  std::string text = micros < 0 ? "-" : "";
  if (magnitude != 0 && magnitude < 100) {  // below 1e-4 Python writes an exponent
    const bool tens = magnitude >= 10;
    text += static_cast<char>('0' + (tens ? magnitude / 10 : magnitude));
    if (tens && magnitude % 10 != 0) (text += '.') += static_cast<char>('0' + magnitude % 10);
    return text + (tens ? "e-05" : "e-06");
  }
  char digits[kSecondsRoom];
  char* end = write_seconds(digits, static_cast<Nanos>(magnitude) * kNanosPerMicro, 6);
  while (end[-1] == '0' && end[-2] != '.') --end;
  return text.append(digits, end);
}

bool Classic::is_server_port(std::uint16_t port) const {
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

/// The connection of `segment`. A SYN with a new sequence number begins a new connection.
Classic::State& Classic::state_of(const Segment& segment, Side& sender) {
  State*& state = current_[make_flow_key(segment, sender)];
  const bool syn = (segment.tcp.flags & (kSyn | kAck)) == kSyn;
  if (state == nullptr || (syn && state->syn_sequence[index(sender)] != segment.tcp.sequence)) {
    state = &connections_.emplace_back();
    if (syn) state->syn_sequence[index(sender)] = segment.tcp.sequence;
  }
  return *state;
}

void Classic::process(const Segment& segment) {
  const bool from_server = is_server_port(segment.tcp.source_port);
  if (segment.ip.version != 4 || (!from_server && !is_server_port(segment.tcp.destination_port))) return;
  Side sender;
  State& state = state_of(segment, sender);
  const bool request = !from_server && segment.data_length != 0;
  if (request || !state.open) {
    begin_piece(state, segment, request);
  } else if (state.piece == Piece::syn) {
    state.results.push_back({true, state.destination, micros(segment.time) - state.began, 0, 0, 0, {}});
    state.piece = Piece::other;
  } else if (from_server) {
    process_server(state, segment);
  }
}

void Classic::begin_piece(State& state, const Segment& segment, bool request) {
  state.open = true;
  state.began = micros(segment.time);
  state.piece = Piece::other;
  if ((segment.tcp.flags & kSyn) != 0) {
    state.piece = Piece::syn;
    state.destination = static_cast<std::uint32_t>(segment.ip.destination().low);
  } else if (request && begins_get(segment)) {
    state.piece = Piece::get;
  }
}

void Classic::process_server(State& state, const Segment& segment) {
  if (state.piece == Piece::response) return process_response(state, segment);
  if (state.piece != Piece::get || segment.data_length == 0) return;
  const std::int64_t latency = micros(segment.time) - state.began;
  state.results.push_back({false, 0, 0, latency, latency, segment.data_length, {}});
  state.piece = Piece::response;
  state.base = segment.tcp.sequence;
  state.last = micros(segment.time);
  state.last_id = segment.ip.id;
  state.last_short = false;  // the size of the first segment does not count
}

void Classic::process_response(State& state, const Segment& segment) {
  if ((segment.tcp.flags & kFin) != 0) return;
  Result& result = state.results.back();
  const std::int64_t now = micros(segment.time);
  const std::uint32_t begin = segment.tcp.sequence - state.base;
  const std::uint32_t reached = begin + segment.data_length;
  unsigned flags = 0;
  if (state.last_short) flags |= kLastShort;
  if (segment.ip.id != static_cast<std::uint16_t>(state.last_id + 1)) flags |= kIdGap;
  if (begin != result.bytes) flags |= kOutOfOrder;
  if (begin % 9000 == 0) flags |= kNineThousand;
  result.steps.push_back({now - state.last, reached, static_cast<std::uint8_t>(flags)});
  result.bytes = std::max(result.bytes, reached);
  result.finish = now - state.began;
  state.last = now;
  state.last_id = segment.ip.id;
  state.last_short = !is_full(segment);
}

void Classic::put(Output& output, const Result& result) {
  if (result.is_syn) {
    output.put("  {\n    \"addr\": \"");
    put_address(output, {0, kIpv4Mapped | result.address}, 4);
    output.put("\",\n    \"syn_rtt\": ");
    output.put(python_seconds(result.syn_rtt));
    output.put("\n  }");
    return;
  }
  output.put("  {\n    \"bytes\": ");
  output.put_integer(result.bytes);
  output.put(",\n    \"finish_latency\": ");
  put_signed(output, result.finish);
  output.put(",\n    \"interpacket_times\": [");
  const char* separator = "\n";
  for (const Step& step : result.steps) {
    output.put(separator);
    output.put("      [\n        ");
    output.put(python_seconds(step.micros));
    output.put(",\n        ");
    output.put_integer(step.reached);
    for (unsigned flag = 0; flag < 4; ++flag) {
      if ((step.flags >> flag & 1) == 0) continue;
      output.put(",\n        \"");
      output.put(kFlagNames[flag]);
      output.put('"');
    }
    output.put("\n      ]");
    separator = ",\n";
  }
  output.put(result.steps.empty() ? "],\n" : "\n    ],\n");
  output.put("    \"start_latency\": ");
  put_signed(output, result.start);
  output.put("\n  }");
}

void Classic::finish(Output& output) {
  const char* separator = "[\n";
  for (const State& connection : connections_) {
    for (const Result& result : connection.results) {
      output.put(separator);
      put(output, result);
      separator = ",\n";
    }
  }
  output.put(*separator == '[' ? "[]" : "\n]");
  output.end_line();
}

}  // namespace wirelap
