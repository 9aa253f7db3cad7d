// report: a finished exchange or connection as the record that users see.
//
// In: an exchange with its connection, or a connection alone. Out: the columns,
// in order, through a visitor, so that ndjson, json and csv have the same ones and
// name them in one place: here a column is added (then README's table, the list in
// tests/report_test.cc, make golden). The table chooses its own (table.cc); classic's
// are its forerunner's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "capture/packet_record.h"
#include "exchange/exchange.h"
#include "flow/connection.h"
#include "wire/ip.h"

namespace wirelap {

/// What an exchange's total is made of; kUnknownTime where it was not captured.
struct Phases {
  Nanos connect = kUnknownTime;
  Nanos tls = kUnknownTime;
  Nanos send = kUnknownTime;
  Nanos wait = kUnknownTime;
  Nanos receive = kUnknownTime;
  Nanos total = 0;  ///< the sum of those that are known
};

/// Phases of `exchange`. Each begins where the one before ended, so that none
/// is negative and they add up however messages overlap or clocks step.
Phases measure_phases(const Exchange& exchange, const Handshake& handshake);

/// What the total was spent on, adding up to `phases.total` to the last digit.
/// Of an exchange that was not attributed each is kUnknownTime.
CauseTimes measure_causes(const Exchange& exchange, const Handshake& handshake, const Phases& phases);

/// The cause on which most was spent; the first column among equals.
Cause largest_cause(const CauseTimes& spent);

/// One record; the things that it refers to outlive it.
struct Row {
  std::string_view capture;  ///< file name as given
  int decimals;              ///< of the capture's timestamps
  const Connection& connection;
  const Exchange& exchange;
  const Wanted& wanted;  ///< further columns
};

/// The record of a connection; the things that it refers to outlive it.
struct ConnectionRow {
  std::string_view capture;  ///< file name as given
  int decimals;              ///< of the capture's timestamps
  const Connection& connection;
  Side client;  ///< as good as is known
};

/// How a connection ended.
std::string_view name_of_ending(const Connection& connection);

/// From its first packet to its last.
inline Nanos duration_of(const Connection& connection) {
  return std::max<Nanos>(0, connection.last_time - connection.first_time);  // clocks step back
}

/// Names in records.
std::string_view name_of(Outcome outcome);
std::string_view name_of(Cause cause);
std::string_view name_of_tls_version(std::uint16_t version);  ///< "1.2"; empty: not known

// Inlined, a column's name is a constant that is stored without a loop, and
// where the row ends stays in a register.
#define WIRELAP_INLINE [[gnu::always_inline]] inline

/// The characters of a column's name.
template <std::size_t kSize>
struct NameText {
  char text[kSize];  // with the zero at its end
  consteval NameText(const char (&from)[kSize]) { std::copy_n(from, kSize, text); }
};

/// A column's name as a type: a visitor can have it written out before the program runs.
template <NameText kText>
struct ColumnName {
  static constexpr std::string_view text{kText.text, sizeof kText.text - 1};
  constexpr operator std::string_view() const { return text; }
};

template <NameText kText>
constexpr ColumnName<kText> operator""_column() {
  return {};
}

/// The columns of who talks to whom.
template <class Visitor>
WIRELAP_INLINE void visit_endpoints(const FlowKey& key, Side client, Visitor& visit) {
  const int ip_version = key.tag >> 26 != 0 ? 6 : 4;
  const Side server = other(client);
  visit.address("client"_column, key.addresses[index(client)], ip_version);
  visit.integer("client_port"_column, key.ports[index(client)]);
  visit.address("server"_column, key.addresses[index(server)], ip_version);
  visit.integer("server_port"_column, key.ports[index(server)]);
  visit.vlan("vlan"_column, key.tag);
}

/// Calls, for each column in order (names are tokens, which no format escapes):
///   visit.type(std::string_view)               the first, in every row
///   visit.text(name, std::string_view value)
///   visit.text_if_any(name, std::string_view value)   empty: not known
///   visit.integer(name, std::uint64_t value)
///   visit.integer(name, std::uint64_t value, bool known)
///   visit.flag(name, bool value, bool known)   connections' rows alone
///   visit.seconds(name, Nanos value)           kUnknownTime: not known
///   visit.address(name, const Address&, int ip_version)
///   visit.steps(name, const Steps&)  where the row wants it
///   visit.vlan(name, VLAN tags as packed in FlowKey::tag)
template <class Visitor>
WIRELAP_INLINE void visit_columns(const Row& row, Visitor& visit) {
  const Connection& connection = row.connection;
  const Exchange& exchange = row.exchange;
  const Message& request = exchange.request;
  const Message& response = exchange.response;
  const Handshake& handshake = connection.handshake;
  const Phases phases = measure_phases(exchange, handshake);
  const CauseTimes spent = measure_causes(exchange, handshake, phases);
  const Nanos server_rtt = handshake.server_rtt(), client_rtt = handshake.client_rtt();
  const auto sum = [](Nanos a, Nanos b) { return a == kUnknownTime || b == kUnknownTime ? kUnknownTime : a + b; };

  visit.type("exchange");
  visit.text("capture"_column, row.capture);
  visit.integer("connection"_column, connection.number);
  visit.integer("exchange"_column, exchange.number);
  visit.integer("first_frame"_column, record_number(exchange.first_packet));
  visit.integer("last_frame"_column, record_number(exchange.last_packet));
  visit.seconds("start"_column, request.first);
  visit_endpoints(connection.key, connection.client, visit);
  visit.text("protocol"_column, exchange.protocol);
  visit.text_if_any("method"_column, exchange.method);
  visit.text_if_any("host"_column, exchange.host);
  visit.text_if_any("target"_column, exchange.target);
  visit.integer("status"_column, static_cast<std::uint64_t>(exchange.status), exchange.status != Exchange::kNoStatus);
  visit.integer("grpc_status"_column, static_cast<std::uint64_t>(exchange.grpc_status),
                exchange.grpc_status != Exchange::kNoStatus);
  visit.text_if_any("tls_version"_column, name_of_tls_version(exchange.tls_version));
  visit.text_if_any("alpn"_column, exchange.alpn);
  visit.integer("request_bytes"_column, request.bytes);
  visit.integer("response_bytes"_column, response.bytes);
  visit.integer("request_body_bytes"_column, request.body_bytes);
  visit.integer("response_body_bytes"_column, response.body_bytes);
  visit.seconds("connect_s"_column, phases.connect);
  visit.seconds("tls_s"_column, phases.tls);
  visit.seconds("send_s"_column, phases.send);
  visit.seconds("wait_s"_column, phases.wait);
  visit.seconds("receive_s"_column, phases.receive);
  visit.seconds("total_s"_column, phases.total);
  visit.seconds("idle_s"_column, exchange.idle);
  visit.seconds("ttfb_s"_column, sum(phases.send, phases.wait));
  visit.seconds("network_s"_column, spent.by[kNetwork]);
  visit.seconds("loss_s"_column, spent.by[kLoss]);
  visit.seconds("server_s"_column, spent.by[kServer]);
  visit.seconds("client_s"_column, spent.by[kClient]);
  visit.seconds("window_s"_column, spent.by[kWindow]);
  visit.seconds("ack_delay_s"_column, spent.by[kAckDelay]);
  visit.text_if_any("cause"_column, exchange.attributed && phases.total > 0 ? name_of(largest_cause(spent)) : "");
  visit.seconds("rtt_s"_column, sum(server_rtt, client_rtt));
  visit.seconds("server_rtt_s"_column, server_rtt);
  visit.seconds("client_rtt_s"_column, client_rtt);
  visit.integer("packets"_column, exchange.tcp.packets);
  visit.integer("retransmitted_packets"_column, exchange.tcp.retransmitted);
  visit.integer("lost_packets"_column, exchange.tcp.truly_lost());
  visit.integer("out_of_order_packets"_column, exchange.tcp.out_of_order);
  visit.integer("duplicate_packets"_column, exchange.tcp.duplicate);
  visit.integer("zero_windows"_column, exchange.tcp.zero_windows);
  visit.seconds("max_gap_s"_column,
                std::min(exchange.max_gap, phases.total));  // a clock that stepped back shows no longer one
  visit.integer("missing_bytes"_column, exchange.missing_bytes);
  visit.text("outcome"_column, name_of(exchange.outcome));
  const auto& names = row.wanted.header_columns.empty() ? row.wanted.headers : row.wanted.header_columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i < exchange.headers.size() && exchange.headers[i].has_value()) {
      visit.text(names[i], *exchange.headers[i]);
    } else {
      visit.text_if_any(names[i], "");
    }
  }
  if (row.wanted.steps) visit.steps("interpacket_times"_column, exchange.steps);
}

/// The same for a connection. The columns that exchanges have, too, come first
/// and in the exchanges' order: the header of CSV depends on it.
template <class Visitor>
WIRELAP_INLINE void visit_columns(const ConnectionRow& row, Visitor& visit) {
  const Connection& connection = row.connection;
  const Handshake& handshake = connection.handshake;
  const TcpCounts& counts = connection.counts;
  const int client = index(row.client);
  const int server = 1 - client;
  const Stream* const streams = connection.streams;
  const Offer* const offers = connection.offers;
  const Nanos server_rtt = handshake.server_rtt(), client_rtt = handshake.client_rtt();
  const bool has_rtt = server_rtt != kUnknownTime && client_rtt != kUnknownTime;

  visit.type("connection");
  visit.text("capture"_column, row.capture);
  visit.integer("connection"_column, connection.number);
  visit.integer("first_frame"_column, record_number(connection.first_packet));
  visit.integer("last_frame"_column, record_number(connection.last_packet));
  visit.seconds("start"_column, connection.first_time);
  visit_endpoints(connection.key, row.client, visit);
  visit.text_if_any("protocol"_column, connection.protocol);
  visit.seconds("connect_s"_column, handshake.duration());
  visit.seconds("rtt_s"_column, has_rtt ? server_rtt + client_rtt : kUnknownTime);
  visit.seconds("server_rtt_s"_column, server_rtt);
  visit.seconds("client_rtt_s"_column, client_rtt);
  visit.integer("packets"_column, counts.packets);
  visit.integer("retransmitted_packets"_column, counts.retransmitted);
  visit.integer("lost_packets"_column, counts.truly_lost());
  visit.integer("out_of_order_packets"_column, counts.out_of_order);
  visit.integer("duplicate_packets"_column, counts.duplicate);
  visit.integer("zero_windows"_column, counts.zero_windows);
  visit.integer("missing_bytes"_column, streams[0].not_captured + streams[1].not_captured);
  visit.seconds("duration_s"_column, duration_of(connection));
  visit.integer("exchanges"_column, connection.exchanges);
  visit.integer("client_packets"_column, connection.packets[client]);
  visit.integer("server_packets"_column, connection.packets[server]);
  visit.integer("client_bytes"_column, streams[client].next);
  visit.integer("server_bytes"_column, streams[server].next);
  visit.integer("client_mss"_column, offers[client].max_segment_size, offers[client].max_segment_size != 0);
  visit.integer("server_mss"_column, offers[server].max_segment_size, offers[server].max_segment_size != 0);
  visit.integer("client_window_scale"_column, static_cast<std::uint64_t>(offers[client].window_shift),
                offers[client].window_shift >= 0);
  visit.integer("server_window_scale"_column, static_cast<std::uint64_t>(offers[server].window_shift),
                offers[server].window_shift >= 0);
  visit.flag("sack"_column, offers[0].sack && offers[1].sack, connection.agreed());
  visit.flag("timestamps"_column, offers[0].timestamps && offers[1].timestamps, connection.agreed());
  visit.text("ending"_column, name_of_ending(connection));
  const std::string_view ender = connection.ender == row.client ? "client" : "server";
  visit.text_if_any("ended_by"_column, connection.has_ender ? ender : "");
}

}  // namespace wirelap
