#include "app/detector.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace wirelap {

template <class Take>
auto Detector::with(Talk& talk, const Take& take) {
  switch (static_cast<Kind>(talk.kind)) {
    case kH2: return take(static_cast<h2::Analyzer&>(talk));
    case kTls: return take(static_cast<tls::Analyzer&>(talk));
    case kTcp: return take(static_cast<generic::Analyzer&>(talk));
    case kHttp: break;
  }
  return take(static_cast<http1::Analyzer&>(talk));
}

void Detector::feed(Talk& talk, Direction direction, const StreamData& data, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.feed(direction, data, arrival); });
}

void Detector::skip(Talk& talk, Direction direction, std::uint64_t count, bool missing, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.skip(direction, count, missing, arrival); });
}

void Detector::finish(Talk& talk, Direction direction, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.finish(direction, arrival); });
}

void Detector::end(Talk& talk, Outcome outcome, Nanos time) {
  with(talk, [&](auto& conversation) { conversation.end(outcome, time); });
}

std::uint64_t Detector::skippable(Talk& talk, Direction direction) {
  return with(talk, [&](auto& conversation) { return conversation.skippable(direction); });
}

bool Detector::is_something_else(Talk& talk) {
  return with(talk, [&](auto& conversation) { return conversation.is_something_else(); });
}

std::size_t Detector::held_bytes(Talk& talk) {
  return with(talk, [&](auto& conversation) { return conversation.held_bytes(); });
}

/// Makes a conversation in the memory of its exchanges.
template <class Analyzer, class... Arguments>
Analyzer* Detector::make(Arguments&&... arguments) {
  void* const at = pool_.memory()->allocate(sizeof(Analyzer), alignof(Analyzer));
  return ::new (at) Analyzer(std::forward<Arguments>(arguments)...);
}

template <class Analyzer>
[[gnu::noinline]] void Detector::destroy(Analyzer& conversation) {
  std::pmr::memory_resource* const memory = conversation.exchanges().memory();
  conversation.~Analyzer();
  memory->deallocate(&conversation, sizeof(Analyzer), alignof(Analyzer));
}

generic::Analyzer* Detector::as_tcp(const Connection& connection) {
  const bool is_tcp = connection.attachment != nullptr && connection.attachment->kind == kTcp;
  return is_tcp ? static_cast<generic::Analyzer*>(connection.attachment) : nullptr;
}

/// Whether what was taken for turns may yet begin a protocol that is known.
bool Detector::may_change(const Connection& connection, Side sender) {
  const generic::Analyzer* const turns = as_tcp(connection);
  return turns != nullptr && turns->may_change(direction_of(connection, sender));
}

/// Whether the client has gone on to HTTP/2 after HTTP/1: the answer that allowed it was not captured.
bool Detector::is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes) {
  const http1::Analyzer* const before = as_http(connection);
  return before != nullptr && !before->is_tunnel() && sender == connection.client &&
         h2::begins_with_preface(bytes, Direction::to_server);
}

/// From these offsets of client and server on the connection is HTTP/2.
void Detector::begin_h2(Connection& connection, std::uint64_t requests, std::uint64_t responses) {
  http1::Analyzer* const before = as_http(connection);
  connection.attachment = make<h2::Analyzer>(connection, std::move(before->exchanges()), requests, responses);
  connection.attachment->kind = kH2;
  connection.attachment->began_by = before->began_by;
  connection.attachment->began = before->began;
  destroy(*before);
}

/// Whether a server that was sent a hello of TLS, and speaks HTTP/1 without it, begins to say so.
bool Detector::is_answered_in_clear(const Connection& connection, Side sender, Bytes bytes) {
  return connection.attachment->kind == kTls && sender != connection.client && connection.stream(sender).at_start() &&
         http1::is_start_line(as_text(bytes), Direction::to_client) != http1::Likeness::no;
}

/// The server's first bytes are a response to what was no request.
void Detector::begin_http(Connection& connection, const StreamData& data, const Arrival& arrival) {
  const Side first = connection.attachment->began_by;
  const Arrival began = connection.attachment->began;
  drop(connection);
  connection.ignored = false;
  connection.protocol = {};
  auto* const conversation = make<http1::Analyzer>(connection, pool_);
  attach(connection, conversation, kHttp, first, began);
  conversation->feed(Direction::to_client, data, arrival);
}

/// Begins the conversation that is to take over.
[[gnu::noinline]] void Detector::change(Connection& connection, Side sender, const StreamData& data,
                                        const Arrival& arrival) {
  if (is_something_else(*talk_of(connection))) {
    // With --tcp the hello and its answer are a turn.
    if (!tcp_ && is_answered_in_clear(connection, sender, data.bytes)) {
      begin_http(connection, data, arrival);
    } else {
      take_for_unknown(connection, sender, data.length, arrival);
    }
    return;
  }
  // The last bytes of the server's are HTTP/2's.
  StreamData rest = data;
  rest.drop_front(data.length - *as_http(connection)->left_for_h2());
  const std::uint64_t before = data.length - rest.length;
  begin_h2(connection, connection.stream(connection.client).next, connection.stream(sender).next + before);
  feed(*talk_of(connection), Direction::to_client, rest, arrival);
}

/// Whether the connection begins with a request of HTTP/1, as most do: then it is nothing else.
bool Detector::begins_with_request(Connection& connection, Side sender, Bytes bytes) {
  const bool from_client = connection.client_known && sender == connection.client && !connection.greeted;
  return from_client && connection.stream(sender).at_start() && !may_be_preface(bytes) &&
         http1::Analyzer::may_begin_stream(bytes, Direction::to_server);
}

/// Begins the connection's first conversation with `bytes`.
[[gnu::noinline]] void Detector::begin(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
  if (bytes.empty()) return;
  const bool is_http = begins_with_request(connection, sender, bytes) && is_wanted(connection, connection.client);
  if (!is_http) return begin_other(connection, sender, bytes, arrival);
  attach(connection, make<http1::Analyzer>(connection, pool_), kHttp, sender, arrival);
}

/// Begins a conversation where a known protocol begins with `bytes`, or with --tcp
/// where none does.
[[gnu::noinline]] void Detector::begin_other(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
  using Beginning = tls::Analyzer::Beginning;
  if (bytes.empty()) return;
  const generic::Analyzer* const turns = as_tcp(connection);
  const bool knew_client = connection.client_known;
  const Side client = client_of(connection, sender);
  // A guess does not bind the protocols that tell it.
  if (turns != nullptr && !turns->is_settled()) connection.client_known = connection.handshake.syn_ack != kUnknownTime;
  const Beginning tls = tls::Analyzer::may_begin(connection, sender, bytes, client);
  const bool only_tls = connection.greeted || (turns != nullptr && turns->is_settled());
  const bool in_clear = tls == Beginning::none && !only_tls;
  const bool is_h2 = in_clear && h2::may_begin(connection, sender, bytes);
  const bool is_http = in_clear && !is_h2 && http1::Analyzer::may_begin(connection, sender, bytes);
  if (!connection.client_known && (knew_client || tls == Beginning::middle)) connection.set_client(client);
  if (tls == Beginning::none && !is_h2 && !is_http) {
    if (turns == nullptr) take_unknown(connection, sender, client, arrival);
  } else if (!is_wanted(connection, connection.client)) {
    drop(connection);
  } else if (is_http) {
    attach(connection, make<http1::Analyzer>(connection, pool_), kHttp, sender, arrival);
  } else if (is_h2) {
    attach(connection, make<h2::Analyzer>(connection, pool_), kH2, sender, arrival);
  } else {
    attach(connection, make<tls::Analyzer>(connection, pool_, tls), kTls, sender, arrival);
    connection.protocol = "tls";  // a handshake alone makes no exchange
  }
}

/// Gives the connection its conversation; the turns that it had go on in it.
template <class Analyzer>
void Detector::attach(Connection& connection, Analyzer* conversation, Kind kind, Side sender, const Arrival& arrival) {
  if (generic::Analyzer* const turns = as_tcp(connection)) {
    turns->yield(arrival.time);
    conversation->exchanges().go_on(turns->exchanges());
    conversation->began_by = turns->began_by;
    conversation->began = turns->began;
    destroy(*turns);
  } else {
    conversation->began_by = sender;
    conversation->began = arrival;
  }
  conversation->kind = kind;
  connection.attachment = conversation;
}

/// No known protocol begins with what comes. Without --tcp such a connection
/// costs nothing more than a look for TLS later, where its server spoke first.
void Detector::take_unknown(Connection& connection, Side sender, Side client, const Arrival& arrival) {
  if (tcp_) {
    if (!connection.client_known) connection.set_client(client);
    if (!is_wanted(connection, connection.client)) return drop(connection);
    const Side server = other(connection.client);
    const bool from_start = connection.stream(connection.client).at_start() && connection.stream(server).next == 0;
    return attach(connection, make<generic::Analyzer>(connection, pool_, from_start), kTcp, sender, arrival);
  }
  const Stream& stream = connection.stream(sender);
  if (stream.at_start() && sender != connection.client) connection.greeted = true;
  const bool late =
      connection.greeted && sender == connection.client && stream.next >= generic::Analyzer::kMaxBeforeTls;
  if (late || (connection.greeted && !is_wanted(connection, connection.client))) connection.ignored = true;
}

/// What was taken for a known protocol is none: with --tcp its bytes so far, with
/// `length` ones of `sender` that came last, are the first turn's.
void Detector::take_for_unknown(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival) {
  const Side first = connection.attachment->began_by;
  const Arrival began = connection.attachment->began;
  const bool whole = connection.stream(first).from_syn && connection.stream(other(first)).from_syn;
  const std::uint64_t numbered = talk_of(connection)->exchanges().count();
  connection.protocol = {};
  drop(connection);
  if (!tcp_ || numbered != 0 || !whole) return;
  connection.ignored = false;
  auto* const turns = make<generic::Analyzer>(connection, pool_, true);
  attach(connection, turns, kTcp, first, began);
  for (const Side side : {first, other(first)}) {
    const Stream& stream = connection.stream(side);
    const Direction direction = direction_of(connection, side);
    const std::uint64_t count = stream.next;
    if (count == 0) continue;
    // No byte of it was captured.
    if (count == stream.missing) {
      turns->miss_back(direction, 0, count, side == first ? began : arrival);
      continue;
    }
    const Arrival start =
        side == first ? began : Arrival{stream.last_time, arrival.packet, connection.stream(first).acknowledged};
    turns->take_back(direction, 0, 1, start);
    if (count > 1) turns->take_back(direction, 1, count - 1, {stream.last_time, start.packet, start.acknowledged});
  }
  if (length != 0) turns->take_back(direction_of(connection, sender), connection.stream(sender).next, length, arrival);
}

/// The rest of give_up_undecided.
[[gnu::noinline]] void Detector::give_up(http1::Analyzer& undecided, Connection& connection, const Arrival& arrival) {
  if (undecided.is_undecided()) undecided.give_up();
  take_for_unknown(connection, connection.client, 0, arrival);
}

void Detector::drop(Connection& connection) {
  if (Talk* const talk = talk_of(connection)) with(*talk, [](auto& conversation) { destroy(conversation); });
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
