// record: the schema: the columns of records.
//
// Out: struct Columns, whose members hold the values of one record, and kColumns, which describes each of them: name,
// member, the records that have it, whether it can be null, unit, and a line of help. The writers of ndjson, json and
// csv, `wirelap --columns`, the table in the man page and the library all use this list.
//
// To add a column: add a member and an entry here, and set the member in record.cc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "timing/causes.h"
#include "wire/ip.h"

namespace wirelap {

enum class RecordType : std::uint8_t { exchange, connection };

constexpr std::string_view name_of(RecordType type) { return type == RecordType::exchange ? "exchange" : "connection"; }

/// One of a fixed set of words. The text is static: it outlives every record. Empty: not known.
using Word = std::string_view;

struct IpAddress {
  Address address;
  int version = 4;  ///< of IP: 4 or 6
};

/// VLAN identifiers, packed as in FlowKey::tag.
struct VlanIds {
  std::uint32_t packed = 0;

  int count() const { return static_cast<int>(packed >> 24 & 3); }  ///< 0 to 2
  std::uint32_t outer() const { return packed & 0xfff; }            ///< the only one where there is one
  std::uint32_t inner() const { return packed >> 12 & 0xfff; }      ///< where there are two
};

/// One segment that made more bytes of a response available in order.
struct PacketTime {
  Nanos gap = 0;            ///< since the one before; 0 for the first
  std::uint64_t bytes = 0;  ///< of the response so far
};

using PacketTimes = std::vector<PacketTime>;

/// The values of a record, one member for each column. A record has the members of its type; the others keep their
/// defaults. Unknown is: an empty text or word, kUnknownTime, nullopt.
struct Columns {
  RecordType type = RecordType::exchange;
  std::string capture;
  std::uint64_t connection = 0, exchange = 0;
  std::uint64_t first_frame = 0, last_frame = 0;
  Nanos start = kUnknownTime;
  IpAddress client, server;
  std::uint64_t client_port = 0, server_port = 0;
  VlanIds vlan;
  Word protocol;
  std::string method, host, target;
  std::optional<std::uint64_t> status, grpc_status;
  Word tls_version;
  std::string alpn;
  std::uint64_t request_bytes = 0, response_bytes = 0, request_body_bytes = 0, response_body_bytes = 0;
  Nanos connect = kUnknownTime, tls = kUnknownTime, send = kUnknownTime, wait = kUnknownTime, receive = kUnknownTime;
  Nanos total = 0, idle = kUnknownTime, ttfb = kUnknownTime;
  Nanos network = kUnknownTime, loss = kUnknownTime, server_time = kUnknownTime, client_time = kUnknownTime,
        window = kUnknownTime, ack_delay = kUnknownTime;
  Word cause;
  Nanos rtt = kUnknownTime, server_rtt = kUnknownTime, client_rtt = kUnknownTime;
  std::uint64_t packets = 0, retransmitted_packets = 0, lost_packets = 0, out_of_order_packets = 0,
                duplicate_packets = 0, zero_windows = 0;
  Nanos max_gap = 0;
  std::uint64_t missing_bytes = 0;
  Word outcome;
  std::optional<PacketTimes> interpacket_times;
  Nanos duration = 0;
  std::uint64_t exchanges = 0;
  std::uint64_t client_packets = 0, server_packets = 0, client_bytes = 0, server_bytes = 0;
  std::optional<std::uint64_t> client_mss, server_mss, client_window_scale, server_window_scale;
  std::optional<bool> sack, timestamps;
  Word ending, ended_by;
};

/// The type of a column is the type of its member.
using Member = std::variant<RecordType Columns::*, std::string Columns::*, Word Columns::*, std::uint64_t Columns::*,
                            std::optional<std::uint64_t> Columns::*, std::optional<bool> Columns::*, Nanos Columns::*,
                            IpAddress Columns::*, VlanIds Columns::*, std::optional<PacketTimes> Columns::*>;

/// The records that have a column.
enum class In : std::uint8_t {
  both,
  exchanges,
  exchanges_with_packets,  ///< those of a run with --packets, after the columns of headers
  connections,
};

/// Whether a column can be null.
enum class Null : std::uint8_t { never, unknown };

struct Column {
  std::string_view name;
  Member member;
  In in;
  Null null;
  std::string_view unit;  ///< empty: none
  std::string_view help;  ///< one line

  constexpr bool is_in(RecordType type) const {
    return in == In::both || in == (type == RecordType::exchange ? In::exchanges : In::connections);
  }
};

/// All columns in the order of output. Those that only connections have come last, as in the header of csv.
inline constexpr Column kColumns[] = {
    {"type", &Columns::type, In::both, Null::never, "", "exchange, or connection (with --connections)"},
    {"capture", &Columns::capture, In::both, Null::never, "", "name of the capture file, as given"},
    {"connection", &Columns::connection, In::both, Null::never, "", "number of the TCP connection in the run, from 1"},
    {"exchange", &Columns::exchange, In::exchanges, Null::never, "",
     "number of the exchange in its connection, from 1"},
    {"first_frame", &Columns::first_frame, In::both, Null::never, "", "number in the file of the first packet, from 1"},
    {"last_frame", &Columns::last_frame, In::both, Null::never, "", "number in the file of the last packet"},
    {"start", &Columns::start, In::both, Null::unknown, "s",
     "time of the request's first byte, or of the connection's first packet, since 1970-01-01 UTC"},
    {"client", &Columns::client, In::both, Null::never, "", "address of the client"},
    {"client_port", &Columns::client_port, In::both, Null::never, "", "port of the client"},
    {"server", &Columns::server, In::both, Null::never, "", "address of the server"},
    {"server_port", &Columns::server_port, In::both, Null::never, "", "port of the server"},
    {"vlan", &Columns::vlan, In::both, Null::unknown, "",
     "VLAN identifier; the outer two of stacked ones as a text: 100.200"},
    {"protocol", &Columns::protocol, In::both, Null::unknown, "",
     "http/0.9, http/1.0, http/1.1, h2, websocket, tunnel, tls or tcp; of a connection, that of its first exchange"},
    {"method", &Columns::method, In::exchanges, Null::unknown, "", "method of the request"},
    {"host", &Columns::host, In::exchanges, Null::unknown, "", "host that the request names; in TLS the SNI"},
    {"target", &Columns::target, In::exchanges, Null::unknown, "", "target of the request, as sent"},
    {"status", &Columns::status, In::exchanges, Null::unknown, "", "status of the final response, not of a 1xx"},
    {"grpc_status", &Columns::grpc_status, In::exchanges, Null::unknown, "", "status in the trailer of a gRPC call"},
    {"tls_version", &Columns::tls_version, In::exchanges, Null::unknown, "",
     "version of TLS: 1.3, 1.2, 1.1, 1.0, ssl3"},
    {"alpn", &Columns::alpn, In::exchanges, Null::unknown, "",
     "application protocol negotiated in TLS; in TLS 1.3, which encrypts it, the first one offered"},
    {"request_bytes", &Columns::request_bytes, In::exchanges, Null::never, "bytes",
     "of the request in the TCP stream, head and body, each byte counted once"},
    {"response_bytes", &Columns::response_bytes, In::exchanges, Null::never, "bytes",
     "of the response in the TCP stream, with the heads of 1xx responses"},
    {"request_body_bytes", &Columns::request_body_bytes, In::exchanges, Null::never, "bytes",
     "of the request's body as sent, without chunk framing"},
    {"response_body_bytes", &Columns::response_body_bytes, In::exchanges, Null::never, "bytes",
     "of the response's body as sent, without chunk framing"},
    {"connect_s", &Columns::connect, In::both, Null::unknown, "s",
     "TCP handshake; in a connection's exchanges after the first: 0"},
    {"tls_s", &Columns::tls, In::exchanges, Null::unknown, "s",
     "TLS handshake; in a connection's exchanges after the first: 0"},
    {"send_s", &Columns::send, In::exchanges, Null::unknown, "s", "first to last byte of the request"},
    {"wait_s", &Columns::wait, In::exchanges, Null::unknown, "s",
     "last byte of the request to first byte of the final response"},
    {"receive_s", &Columns::receive, In::exchanges, Null::unknown, "s",
     "first byte of the final response to its last, both when received in order"},
    {"total_s", &Columns::total, In::exchanges, Null::never, "s", "connect + tls + send + wait + receive"},
    {"idle_s", &Columns::idle, In::exchanges, Null::unknown, "s",
     "from the end of the previous exchange, or of the handshake, to the request; not part of the total"},
    {"ttfb_s", &Columns::ttfb, In::exchanges, Null::unknown, "s", "send + wait"},
    {"network_s", &Columns::network, In::exchanges, Null::unknown, "s", "part of the total spent on the network"},
    {"loss_s", &Columns::loss, In::exchanges, Null::unknown, "s",
     "part of the total spent waiting for the retransmission of a lost segment"},
    {"server_s", &Columns::server_time, In::exchanges, Null::unknown, "s",
     "part of the total spent waiting for the server's application"},
    {"client_s", &Columns::client_time, In::exchanges, Null::unknown, "s",
     "part of the total spent waiting for the client's application"},
    {"window_s", &Columns::window, In::exchanges, Null::unknown, "s",
     "part of the total spent waiting for room in the receiver's window"},
    {"ack_delay_s", &Columns::ack_delay, In::exchanges, Null::unknown, "s",
     "part of the total spent waiting for a delayed acknowledgment (Nagle's algorithm)"},
    {"cause", &Columns::cause, In::exchanges, Null::unknown, "",
     "the largest of these six: network, loss, server, client, window or ack_delay"},
    {"rtt_s", &Columns::rtt, In::both, Null::unknown, "s", "round-trip time of the TCP handshake"},
    {"server_rtt_s", &Columns::server_rtt, In::both, Null::unknown, "s",
     "the part of it between the capture point and the server"},
    {"client_rtt_s", &Columns::client_rtt, In::both, Null::unknown, "s",
     "the part of it between the capture point and the client"},
    {"packets", &Columns::packets, In::both, Null::never, "packets",
     "TCP packets of either direction; in a first exchange with those of the handshake"},
    {"retransmitted_packets", &Columns::retransmitted_packets, In::both, Null::never, "packets",
     "retransmissions, necessary or spurious"},
    {"lost_packets", &Columns::lost_packets, In::both, Null::never, "packets",
     "packets that were lost: their retransmission was necessary"},
    {"out_of_order_packets", &Columns::out_of_order_packets, In::both, Null::never, "packets",
     "packets reordered on the way"},
    {"duplicate_packets", &Columns::duplicate_packets, In::both, Null::never, "packets",
     "further copies of a packet, made by the network or by the capture"},
    {"zero_windows", &Columns::zero_windows, In::both, Null::never, "packets", "packets that advertised a zero window"},
    {"max_gap_s", &Columns::max_gap, In::exchanges, Null::never, "s", "longest time between two packets"},
    {"missing_bytes", &Columns::missing_bytes, In::both, Null::never, "bytes",
     "not captured: lost by the capture, or cut off by its snaplen"},
    {"outcome", &Columns::outcome, In::exchanges, Null::never, "",
     "complete, no_response, reset, closed, gap, capture_end or evicted"},
    {"interpacket_times", &Columns::interpacket_times, In::exchanges_with_packets, Null::never, "",
     "for each packet of the response: [seconds since the one before, bytes so far]"},
    {"duration_s", &Columns::duration, In::connections, Null::never, "s", "first to last packet"},
    {"exchanges", &Columns::exchanges, In::connections, Null::never, "", "count of the connection's exchanges"},
    {"client_packets", &Columns::client_packets, In::connections, Null::never, "packets", "sent by the client"},
    {"server_packets", &Columns::server_packets, In::connections, Null::never, "packets", "sent by the server"},
    {"client_bytes", &Columns::client_bytes, In::connections, Null::never, "bytes",
     "payload sent by the client, each byte counted once, with those not captured"},
    {"server_bytes", &Columns::server_bytes, In::connections, Null::never, "bytes",
     "payload sent by the server, each byte counted once, with those not captured"},
    {"client_mss", &Columns::client_mss, In::connections, Null::unknown, "bytes",
     "maximum segment size in the client's SYN"},
    {"server_mss", &Columns::server_mss, In::connections, Null::unknown, "bytes",
     "maximum segment size in the server's SYN"},
    {"client_window_scale", &Columns::client_window_scale, In::connections, Null::unknown, "",
     "window scale shift in the client's SYN"},
    {"server_window_scale", &Columns::server_window_scale, In::connections, Null::unknown, "",
     "window scale shift in the server's SYN"},
    {"sack", &Columns::sack, In::connections, Null::unknown, "", "whether both SYNs permit selective acknowledgments"},
    {"timestamps", &Columns::timestamps, In::connections, Null::unknown, "", "whether both SYNs have timestamps"},
    {"ending", &Columns::ending, In::connections, Null::never, "",
     "fin, reset, refused, unanswered, replaced, capture_end or evicted"},
    {"ended_by", &Columns::ended_by, In::connections, Null::unknown, "",
     "client or server: the sender of the RST, else of the first FIN"},
};

/// The type of a column's values in JSON, or text.
constexpr std::string_view type_of(const Column& column) {
  return std::visit(
      []<class T>(T Columns::*) -> std::string_view {
        if constexpr (std::is_same_v<T, Nanos>) return "number";
        if constexpr (std::is_same_v<T, std::optional<bool>>) return "boolean";
        if constexpr (std::is_same_v<T, std::optional<PacketTimes>>) return "array";
        constexpr bool kIsInteger = std::is_same_v<T, std::uint64_t> || std::is_same_v<T, VlanIds> ||
                                    std::is_same_v<T, std::optional<std::uint64_t>>;
        return kIsInteger ? "integer" : "text";
      },
      column.member);
}

/// The columns of the parts of an exchange's total: its phases, and its causes in the order of Cause.
inline constexpr Nanos Columns::*kPhaseColumns[] = {&Columns::connect, &Columns::tls, &Columns::send, &Columns::wait,
                                                    &Columns::receive};
inline constexpr Nanos Columns::*kCauseColumns[] = {&Columns::network,     &Columns::loss,   &Columns::server_time,
                                                    &Columns::client_time, &Columns::window, &Columns::ack_delay};
static_assert(std::size(kCauseColumns) == kCauseCount);

// Inlined, the name of a column is a constant that is stored without a loop, and a writer's position in its buffer
// stays in a register.
#define WIRELAP_INLINE [[gnu::always_inline]] inline

/// The value of the column at `kIndex`.
template <std::size_t kIndex>
WIRELAP_INLINE const auto& value_at(const Columns& columns) {
  constexpr Member kMember = kColumns[kIndex].member;
  return columns.*std::get<kMember.index()>(kMember);
}

/// Calls `visit.template column<kIndex>(value)` for each column of `kType`, in order. The calls are laid out one after
/// the other, with every index a constant: for what is written most.
template <RecordType kType, class Visitor>
WIRELAP_INLINE void visit_columns(const Columns& columns, Visitor& visit) {
  const auto visit_one = [&]<std::size_t kIndex>(std::integral_constant<std::size_t, kIndex>)
      __attribute__((always_inline)) {
    if constexpr (kColumns[kIndex].is_in(kType)) visit.template column<kIndex>(value_at<kIndex>(columns));
  };
  [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) __attribute__((always_inline)) {
    (visit_one(std::integral_constant<std::size_t, kIndex>{}), ...);
  }
  (std::make_index_sequence<std::size(kColumns)>{});
}

/// Calls `visit(value)` with the value of `column`: small code, for what is written less.
template <class Visitor>
void visit_column(const Column& column, const Columns& columns, Visitor&& visit) {
  std::visit([&](auto member) { visit(columns.*member); }, column.member);
}

}  // namespace wirelap
