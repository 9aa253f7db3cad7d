#include "app/detector.h"

#include <algorithm>
#include <utility>

namespace wirelap {

/// Whether a known protocol may still begin in a connection that has the generic analyzer.
bool Detector::may_change(const Connection& connection, Side sender) {
  const generic::Analyzer* const turns = as_generic(analyzer_of(connection));
  return turns != nullptr && turns->may_change(direction_of(connection, sender));
}

/// The direction of `bytes` is not known where the generic analyzer has only guessed which end is the client: the
/// capture has no SYN-ACK, which would prove it.
Opening Detector::opening_of(const Connection& connection, Side sender, Bytes bytes) const {
  const generic::Analyzer* const turns = as_generic(analyzer_of(connection));
  const bool is_guess = turns != nullptr && !turns->is_settled() && connection.handshake.syn_ack == kUnknownTime;
  Opening opening{bytes, connection.stream(sender), {}, Direction::to_server};
  opening.likely = sender == client_of(connection, sender) ? Direction::to_server : Direction::to_client;
  if (connection.client_known && !is_guess) opening.direction = opening.likely;
  return opening;
}

/// Gives the connection the analyzer whose protocol begins with `bytes`, if there is one.
[[gnu::noinline]] void Detector::detect(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
  if (bytes.empty()) return;
  const generic::Analyzer* const turns = as_generic(analyzer_of(connection));
  const Opening opening = opening_of(connection, sender, bytes);
  const bool tls_only = connection.greeted || (turns != nullptr && turns->is_settled());
  const Found found = probe_all(opening, tls_only);
  if (found.kind == AnalyzerKind::generic) {
    if (turns == nullptr) detect_nothing(connection, sender, opening, arrival);
    return;
  }
  if (!opening.direction) connection.set_client(found.probe.direction == Direction::to_server ? sender : other(sender));
  if (!is_wanted(connection, connection.client)) return drop(connection);
  attach(connection, found, sender, arrival);
  if (found.kind == AnalyzerKind::tls) connection.protocol = "tls";  // a handshake alone makes no exchange
}

/// No known protocol begins with the opening. With --tcp the connection gets the generic analyzer. Without it only TLS
/// may begin later (STARTTLS), if the server sent first.
void Detector::detect_nothing(Connection& connection, Side sender, const Opening& opening, const Arrival& arrival) {
  if (tcp_) {
    if (!connection.client_known)
      connection.set_client(opening.likely == Direction::to_server ? sender : other(sender));
    if (!is_wanted(connection, connection.client)) return drop(connection);
    const bool from_start =
        connection.stream(connection.client).at_start() && connection.stream(other(connection.client)).next == 0;
    return attach(connection, {AnalyzerKind::generic, {Probe::Result::unsure, opening.likely, !from_start}}, sender,
                  arrival);
  }
  const Stream& stream = connection.stream(sender);
  if (stream.at_start() && sender != connection.client) connection.greeted = true;
  const bool late = sender == connection.client && stream.next >= generic::Analyzer::kMaxBeforeTls;
  if (connection.greeted && (late || !is_wanted(connection, connection.client))) connection.ignored = true;
}

/// Makes the connection's analyzer. Where the generic one was there before, its turns end and its log is continued.
void Detector::attach(Connection& connection, const Found& found, Side sender, const Arrival& arrival) {
  Analyzer& made = make_analyzer(found.kind, StreamView(connection), pool_, found.probe);
  made.first_sender = sender;
  made.first_arrival = arrival;
  if (generic::Analyzer* const turns = as_generic(analyzer_of(connection))) {
    turns->yield(arrival.time);
    made.log().continue_from(turns->log());
    made.first_sender = turns->first_sender;
    made.first_arrival = turns->first_arrival;
    destroy(*turns);
  }
  connection.attachment = &made;
}

/// Replaces the analyzer, whose verdict is not_mine or upgraded.
[[gnu::noinline]] void Detector::change(Connection& connection, Side sender, const StreamData& data,
                                        const Arrival& arrival) {
  Analyzer& analyzer = *analyzer_of(connection);
  if (verdict_of(analyzer) == Verdict::not_mine) {
    // With --tcp the hello and its answer in clear text are a turn.
    if (!tcp_ && is_answered_in_clear(connection, sender, data.bytes))
      return continue_in_clear(connection, data, arrival);
    return continue_as_turns(connection, sender, data.length, arrival);
  }
  // The last of the server's bytes are HTTP/2's.
  StreamData rest = data;
  rest.drop_front(data.length - as_http1(&analyzer)->upgraded_bytes());
  const std::uint64_t before = data.length - rest.length;
  upgrade(connection, connection.stream(connection.client).next, connection.stream(sender).next + before);
  feed(*analyzer_of(connection), Direction::to_client, rest, arrival);
}

/// Whether the client switches from HTTP/1 to HTTP/2 here, after a 101 response that was not captured.
bool Detector::is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes) {
  const http1::Analyzer* const before = as_http1(analyzer_of(connection));
  return before != nullptr && !before->is_tunnel() && sender == connection.client &&
         h2::begins_with_preface(bytes, Direction::to_server);
}

/// Switches to HTTP/2 from these offsets of the client's and the server's stream on.
void Detector::upgrade(Connection& connection, std::uint64_t requests, std::uint64_t responses) {
  connection.attachment = &upgrade_to_h2(*as_http1(analyzer_of(connection)), requests, responses);
}

/// Whether a server without TLS answers a ClientHello by an HTTP/1 response, which begins with `bytes`.
bool Detector::is_answered_in_clear(const Connection& connection, Side sender, Bytes bytes) {
  return analyzer_of(connection)->kind == static_cast<std::uint8_t>(AnalyzerKind::tls) && sender != connection.client &&
         connection.stream(sender).at_start() &&
         http1::is_start_line(as_text(bytes), Direction::to_client) != http1::Likeness::no;
}

/// The server's first bytes, `data`, are an HTTP/1 response to a ClientHello: the connection gets an HTTP/1 analyzer.
void Detector::continue_in_clear(Connection& connection, const StreamData& data, const Arrival& arrival) {
  const Side first = analyzer_of(connection)->first_sender;
  const Arrival first_arrival = analyzer_of(connection)->first_arrival;
  drop(connection);
  connection.ignored = false;
  connection.protocol = {};
  attach(connection, {AnalyzerKind::http1, {Probe::Result::certain, Direction::to_client}}, first, first_arrival);
  feed(*analyzer_of(connection), Direction::to_client, data, arrival);
}

/// The connection does not have its analyzer's protocol. With --tcp it gets the generic analyzer, and the bytes so far,
/// with `length` bytes of `sender` that came last, are the first turn.
void Detector::continue_as_turns(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival) {
  const Side first = analyzer_of(connection)->first_sender;
  const Arrival first_arrival = analyzer_of(connection)->first_arrival;
  const bool whole = connection.stream(first).from_syn && connection.stream(other(first)).from_syn;
  const std::uint64_t exchanges = log_of(connection)->count();
  connection.protocol = {};
  drop(connection);
  if (!tcp_ || exchanges != 0 || !whole) return;
  connection.ignored = false;
  attach(connection, {AnalyzerKind::generic, {Probe::Result::unsure, direction_of(connection, first)}}, first,
         first_arrival);
  replay(connection, first, first_arrival, arrival);
  generic::Analyzer& turns = *as_generic(analyzer_of(connection));
  if (length != 0)
    turns.process_earlier(direction_of(connection, sender), connection.stream(sender).next, length, arrival);
}

/// Feeds the generic analyzer the bytes that came before it was made. Only the times of the first and the latest byte
/// of each direction are known.
void Detector::replay(Connection& connection, Side first, const Arrival& first_arrival, const Arrival& arrival) {
  generic::Analyzer& turns = *as_generic(analyzer_of(connection));
  for (const Side side : {first, other(first)}) {
    const Stream& stream = connection.stream(side);
    const Direction direction = direction_of(connection, side);
    const std::uint64_t count = stream.next;
    if (count == 0) continue;
    if (count == stream.not_captured) {  // no byte of it was captured
      turns.process_not_captured(direction, 0, count, side == first ? first_arrival : arrival);
      continue;
    }
    const Arrival begin = side == first
                              ? first_arrival
                              : Arrival{stream.last_time, arrival.packet, connection.stream(first).acknowledged};
    turns.process_earlier(direction, 0, 1, begin);
    if (count > 1) {
      turns.process_earlier(direction, 1, count - 1, {stream.last_time, begin.packet, begin.acknowledged});
    }
  }
}

/// The slow part of give_up_undecided().
[[gnu::noinline]] void Detector::give_up(http1::Analyzer& undecided, Connection& connection, const Arrival& arrival) {
  if (undecided.verdict() == Verdict::undecided) undecided.give_up();
  continue_as_turns(connection, connection.client, 0, arrival);
}

void Detector::drop(Connection& connection) {
  if (Analyzer* const analyzer = analyzer_of(connection)) destroy(*analyzer);
  connection.attachment = nullptr;
  connection.ignored = true;
}

Side Detector::client_of(const Connection& connection, Side sender) const {
  if (connection.client_known) return connection.client;
  const std::uint16_t(&ports)[2] = connection.key.ports;
  const bool asked_for[2] = {is_named(ports[0]), is_named(ports[1])};
  if (asked_for[0] != asked_for[1]) return asked_for[0] ? Side::high : Side::low;
  if (ports[0] == ports[1]) return sender;
  return ports[0] < ports[1] ? Side::high : Side::low;
}

bool Detector::is_named(std::uint16_t port) const {
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

bool Detector::is_wanted(const Connection& connection, Side client) const {
  return ports_.empty() || is_named(connection.key.ports[1 - index(client)]);
}

}  // namespace wirelap
