#include "record/record.h"

#include <algorithm>

#include "capture/packet_record.h"
#include "record/times.h"

namespace wirelap {
namespace {

/// In the order of Outcome.
constexpr Word kOutcomeNames[] = {"complete", "no_response", "reset", "closed", "gap", "capture_end", "evicted"};
static_assert(std::size(kOutcomeNames) == static_cast<std::size_t>(Outcome::evicted) + 1);

Word name_of_ending(const Connection& connection) {
  switch (connection.ending) {
    case Ending::closed: return "fin";
    case Ending::reset: return "reset";
    case Ending::refused: return "refused";
    case Ending::capture_end: return connection.is_unanswered() ? "unanswered" : "capture_end";
    case Ending::replaced: return connection.is_unanswered() ? "unanswered" : "replaced";
    case Ending::evicted: return "evicted";
  }
  return "";
}

Word name_of_tls_version(std::uint16_t version) {
  switch (version) {
    case 0x0300: return "ssl3";
    case 0x0301: return "1.0";
    case 0x0302: return "1.1";
    case 0x0303: return "1.2";
    case 0x0304: return "1.3";
    default: return version >> 8 == 0x7f ? "1.3" : "";  // a draft of it (RFC 8446, section 4.2.1.1)
  }
}

/// In the order of Cause.
constexpr Word kCauseNames[kCauseCount] = {"network", "loss", "server", "client", "window", "ack_delay"};

/// Assigns a text. Most are as long as that of the record before; for these, copying costs a third of assign().
void set(std::string& text, std::string_view value) {
  if (text.size() == value.size())
    value.copy(text.data(), value.size());
  else
    text.assign(value);
}

std::optional<std::uint64_t> known_if(bool known, std::uint64_t value) {
  return known ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> status_of(int status) {
  return known_if(status != Exchange::kNoStatus, static_cast<std::uint64_t>(status));
}

Nanos sum_of(Nanos a, Nanos b) { return a == kUnknownTime || b == kUnknownTime ? kUnknownTime : a + b; }

MessageExtent extent_of(const Message& message) { return {message.first, message.last, message.begin, message.end()}; }

/// Sets what both types of record have of a connection.
void set_connection(Record& record, const CaptureInfo& capture, const Connection& connection, Side client_side) {
  const FlowKey& key = connection.key;
  const int client = index(client_side), server = 1 - client;
  const int ip_version = key.tag >> 26 != 0 ? 6 : 4;
  set(record.capture, capture.name);
  record.decimals = capture.decimals;
  record.connection = connection.number;
  record.client = {key.addresses[client], ip_version};
  record.client_port = key.ports[client];
  record.server = {key.addresses[server], ip_version};
  record.server_port = key.ports[server];
  record.vlan = {key.tag};
  record.server_rtt = connection.handshake.server_rtt();
  record.client_rtt = connection.handshake.client_rtt();
  record.rtt = sum_of(record.server_rtt, record.client_rtt);
}

void set_counts(Record& record, const TcpCounts& counts) {
  record.packets = counts.packets;
  record.retransmitted_packets = counts.retransmitted;
  record.lost_packets = counts.truly_lost();
  record.out_of_order_packets = counts.out_of_order;
  record.duplicate_packets = counts.duplicate;
  record.zero_windows = counts.zero_windows;
}

void set_times(Record& record, const Exchange& exchange, const Handshake& handshake) {
  const Phases phases = measure_phases(exchange, handshake);
  const CauseTimes causes = measure_causes(exchange, handshake, phases);
  record.start = exchange.request.first;
  record.connect = phases.connect;
  record.tls = phases.tls;
  record.send = phases.send;
  record.wait = phases.wait;
  record.receive = phases.receive;
  record.total = phases.total;
  record.idle = exchange.idle;
  record.ttfb = sum_of(phases.send, phases.wait);
#pragma GCC unroll kCauseCount
  for (int cause = 0; cause < kCauseCount; ++cause) record.*kCauseColumns[cause] = causes.by[cause];
  record.cause = exchange.attributed && phases.total > 0 ? kCauseNames[largest_cause(causes)] : "";
  record.max_gap = std::min(exchange.max_gap, phases.total);  // max_gap is longer where a clock stepped back
}

[[gnu::noinline]] void set_headers(Record& record, const Exchange& exchange, const Wanted& wanted) {
  const std::vector<std::string>& names = header_columns(wanted);
  record.headers.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    HeaderColumn& column = record.headers[i];
    column.name = names[i];
    column.known = i < exchange.headers.size() && exchange.headers[i].has_value();
    set(column.value, column.known ? std::string_view(*exchange.headers[i]) : "");
  }
}

[[gnu::noinline]] void set_packet_times(Record& record, const Steps& steps) {
  if (!record.interpacket_times) record.interpacket_times.emplace();
  PacketTimes& times = *record.interpacket_times;
  times.clear();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Nanos gap = i == 0 ? 0 : std::max<Nanos>(0, steps[i].time - steps[i - 1].time);
    times.push_back({gap, steps[i].reached});
  }
}

}  // namespace

void fill_record(Record& record, const CaptureInfo& capture, const Connection& connection, const Exchange& exchange,
                 const Wanted& wanted) {
  record.type = RecordType::exchange;
  set_connection(record, capture, connection, connection.client);
  record.exchange = exchange.number;
  record.first_frame = record_number(exchange.first_packet);
  record.last_frame = record_number(exchange.last_packet);
  record.protocol = exchange.protocol;
  set(record.method, exchange.method);
  set(record.host, exchange.host);
  set(record.target, exchange.target);
  record.status = status_of(exchange.status);
  record.grpc_status = status_of(exchange.grpc_status);
  record.tls_version = name_of_tls_version(exchange.tls_version);
  set(record.alpn, exchange.alpn);
  record.request_bytes = exchange.request.bytes;
  record.response_bytes = exchange.response.bytes;
  record.request_body_bytes = exchange.request.body_bytes;
  record.response_body_bytes = exchange.response.body_bytes;
  set_times(record, exchange, connection.handshake);
  set_counts(record, exchange.tcp);
  record.missing_bytes = exchange.missing_bytes;
  record.outcome = kOutcomeNames[static_cast<std::size_t>(exchange.outcome)];
  record.stream = exchange.stream;
  record.request_extent = extent_of(exchange.request);
  record.response_extent = extent_of(exchange.response);
  if (!wanted.headers.empty()) [[unlikely]]
    set_headers(record, exchange, wanted);
  if (wanted.steps) [[unlikely]]
    set_packet_times(record, exchange.steps);
}

void fill_record(Record& record, const CaptureInfo& capture, const Connection& connection, Side client_side) {
  const int client = index(client_side), server = 1 - client;
  const Stream* const streams = connection.streams;
  const Offer* const offers = connection.offers;
  const auto mss = [&](int side) {
    return known_if(offers[side].max_segment_size != 0, offers[side].max_segment_size);
  };
  const auto window_scale = [&](int side) {
    return known_if(offers[side].window_shift >= 0, static_cast<std::uint64_t>(offers[side].window_shift));
  };
  const auto agreed = [&](bool both) { return connection.has_both_offers() ? std::optional(both) : std::nullopt; };

  record.type = RecordType::connection;
  set_connection(record, capture, connection, client_side);
  record.first_frame = record_number(connection.first_packet);
  record.last_frame = record_number(connection.last_packet);
  record.start = connection.first_time;
  record.protocol = connection.protocol;
  record.connect = connection.handshake.duration();
  set_counts(record, connection.counts);
  record.missing_bytes = streams[0].not_captured + streams[1].not_captured;
  record.duration = std::max<Nanos>(0, connection.last_time - connection.first_time);  // clocks step back
  record.exchanges = connection.exchanges;
  record.client_packets = connection.packets[client];
  record.server_packets = connection.packets[server];
  record.client_bytes = streams[client].next;
  record.server_bytes = streams[server].next;
  record.client_mss = mss(client);
  record.server_mss = mss(server);
  record.client_window_scale = window_scale(client);
  record.server_window_scale = window_scale(server);
  record.sack = agreed(offers[0].sack && offers[1].sack);
  record.timestamps = agreed(offers[0].timestamps && offers[1].timestamps);
  record.ending = name_of_ending(connection);
  record.ended_by = !connection.has_ender ? "" : connection.ender == client_side ? "client" : "server";
}

void name_header_columns(Wanted& wanted) {
  wanted.header_columns.clear();
  for (const std::string& name : wanted.headers) {
    const bool taken = std::any_of(std::begin(kColumns), std::end(kColumns),
                                   [&](const Column& column) { return column.name == name; });
    wanted.header_columns.push_back(taken ? "header_" + name : name);
  }
}

}  // namespace wirelap
