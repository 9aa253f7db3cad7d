#include "protocols.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace wirelap {

template <class Take>
auto Protocols::with(http::Talk& talk, const Take& take) {
  switch (static_cast<Kind>(talk.kind)) {
    case kH2: return take(static_cast<h2::Conversation&>(talk));
    case kTls: return take(static_cast<tls::Conversation&>(talk));
    case kTcp: return take(static_cast<tcp::Conversation&>(talk));
    case kHttp: break;
  }
  return take(static_cast<http::Conversation&>(talk));
}

void Protocols::feed(http::Talk& talk, http::Role role, const Chunk& chunk, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.feed(role, chunk, arrival); });
}

void Protocols::skip(http::Talk& talk, http::Role role, std::uint64_t count, bool missing, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.skip(role, count, missing, arrival); });
}

void Protocols::finish(http::Talk& talk, http::Role role, const Arrival& arrival) {
  with(talk, [&](auto& conversation) { conversation.finish(role, arrival); });
}

void Protocols::end(http::Talk& talk, http::Outcome outcome, Nanos time) {
  with(talk, [&](auto& conversation) { conversation.end(outcome, time); });
}

std::uint64_t Protocols::skippable(http::Talk& talk, http::Role role) {
  return with(talk, [&](auto& conversation) { return conversation.skippable(role); });
}

bool Protocols::is_something_else(http::Talk& talk) {
  return with(talk, [&](auto& conversation) { return conversation.is_something_else(); });
}

std::size_t Protocols::held_bytes(http::Talk& talk) {
  return with(talk, [&](auto& conversation) { return conversation.held_bytes(); });
}

/// Makes a conversation in the memory of its exchanges.
template <class Conversation, class... Arguments>
Conversation* Protocols::make(Arguments&&... arguments) {
  void* const at = pool_.memory()->allocate(sizeof(Conversation), alignof(Conversation));
  return ::new (at) Conversation(std::forward<Arguments>(arguments)...);
}

template <class Conversation>
[[gnu::noinline]] void Protocols::destroy(Conversation& conversation) {
  std::pmr::memory_resource* const memory = conversation.exchanges().memory();
  conversation.~Conversation();
  memory->deallocate(&conversation, sizeof(Conversation), alignof(Conversation));
}

tcp::Conversation* Protocols::as_tcp(const Connection& connection) {
  const bool is_tcp = connection.attachment != nullptr && connection.attachment->kind == kTcp;
  return is_tcp ? static_cast<tcp::Conversation*>(connection.attachment) : nullptr;
}

/// Whether what was taken for turns may yet begin a protocol that is known.
bool Protocols::may_change(const Connection& connection, Side sender) {
  const tcp::Conversation* const turns = as_tcp(connection);
  return turns != nullptr && turns->may_change(role_of(connection, sender));
}

/// Whether the client has gone on to HTTP/2 after HTTP/1: the answer that allowed it was not captured.
bool Protocols::is_upgraded_unseen(const Connection& connection, Side sender, Bytes bytes) {
  const http::Conversation* const before = as_http(connection);
  return before != nullptr && !before->is_tunnel() && sender == connection.client &&
         h2::begins_with_preface(bytes, http::Role::request);
}

/// From these offsets of client and server on the connection is HTTP/2.
void Protocols::begin_h2(Connection& connection, std::uint64_t requests, std::uint64_t responses) {
  http::Conversation* const before = as_http(connection);
  connection.attachment = make<h2::Conversation>(connection, std::move(before->exchanges()), requests, responses);
  connection.attachment->kind = kH2;
  connection.attachment->began_by = before->began_by;
  connection.attachment->began = before->began;
  destroy(*before);
}

/// Whether a server that was sent a hello of TLS, and speaks HTTP/1 without it, begins to say so.
bool Protocols::is_answered_in_clear(const Connection& connection, Side sender, Bytes bytes) {
  return connection.attachment->kind == kTls && sender != connection.client && connection.stream(sender).at_start() &&
         http::is_start_line(as_text(bytes), http::Role::response) != http::Likeness::no;
}

/// The server's first bytes are a response to what was no request.
void Protocols::begin_http(Connection& connection, const Chunk& chunk, const Arrival& arrival) {
  const Side first = connection.attachment->began_by;
  const Arrival began = connection.attachment->began;
  drop(connection);
  connection.ignored = false;
  connection.protocol = {};
  auto* const conversation = make<http::Conversation>(connection, pool_);
  attach(connection, conversation, kHttp, first, began);
  conversation->feed(http::Role::response, chunk, arrival);
}

/// Begins the conversation that is to take over.
[[gnu::noinline]] void Protocols::change(Connection& connection, Side sender, const Chunk& chunk,
                                         const Arrival& arrival) {
  if (is_something_else(*talk_of(connection))) {
    // With --tcp the hello and its answer are a turn.
    if (!tcp_ && is_answered_in_clear(connection, sender, chunk.bytes)) {
      begin_http(connection, chunk, arrival);
    } else {
      take_for_unknown(connection, sender, chunk.length, arrival);
    }
    return;
  }
  // The last bytes of the server's are HTTP/2's.
  Chunk rest = chunk;
  rest.drop_front(chunk.length - *as_http(connection)->left_for_h2());
  const std::uint64_t before = chunk.length - rest.length;
  begin_h2(connection, connection.stream(connection.client).next, connection.stream(sender).next + before);
  feed(*talk_of(connection), http::Role::response, rest, arrival);
}

/// Whether the connection begins with a request of HTTP/1, as most do: then it is nothing else.
bool Protocols::begins_with_request(Connection& connection, Side sender, Bytes bytes) {
  const bool from_client = connection.client_known && sender == connection.client && !connection.greeted;
  return from_client && connection.stream(sender).at_start() && !may_be_preface(bytes) &&
         http::Conversation::may_begin_stream(bytes, http::Role::request);
}

/// Begins the connection's first conversation with `bytes`.
[[gnu::noinline]] void Protocols::begin(Connection& connection, Side sender, Bytes bytes, const Arrival& arrival) {
  if (bytes.empty()) return;
  const bool is_http = begins_with_request(connection, sender, bytes) && is_wanted(connection, connection.client);
  if (!is_http) return begin_other(connection, sender, bytes, arrival);
  attach(connection, make<http::Conversation>(connection, pool_), kHttp, sender, arrival);
}

/// Begins a conversation where a known protocol begins with `bytes`, or with --tcp
/// where none does.
[[gnu::noinline]] void Protocols::begin_other(Connection& connection, Side sender, Bytes bytes,
                                              const Arrival& arrival) {
  using Beginning = tls::Conversation::Beginning;
  if (bytes.empty()) return;
  const tcp::Conversation* const turns = as_tcp(connection);
  const bool knew_client = connection.client_known;
  const Side client = client_of(connection, sender);
  // A guess does not bind the protocols that tell it.
  if (turns != nullptr && !turns->is_settled()) connection.client_known = connection.handshake.syn_ack != kUnknownTime;
  const Beginning tls = tls::Conversation::may_begin(connection, sender, bytes, client);
  const bool only_tls = connection.greeted || (turns != nullptr && turns->is_settled());
  const bool in_clear = tls == Beginning::none && !only_tls;
  const bool is_h2 = in_clear && h2::may_begin(connection, sender, bytes);
  const bool is_http = in_clear && !is_h2 && http::Conversation::may_begin(connection, sender, bytes);
  if (!connection.client_known && (knew_client || tls == Beginning::middle)) connection.set_client(client);
  if (tls == Beginning::none && !is_h2 && !is_http) {
    if (turns == nullptr) take_unknown(connection, sender, client, arrival);
  } else if (!is_wanted(connection, connection.client)) {
    drop(connection);
  } else if (is_http) {
    attach(connection, make<http::Conversation>(connection, pool_), kHttp, sender, arrival);
  } else if (is_h2) {
    attach(connection, make<h2::Conversation>(connection, pool_), kH2, sender, arrival);
  } else {
    attach(connection, make<tls::Conversation>(connection, pool_, tls), kTls, sender, arrival);
    connection.protocol = "tls";  // a handshake alone makes no exchange
  }
}

/// Gives the connection its conversation; the turns that it had go on in it.
template <class Conversation>
void Protocols::attach(Connection& connection, Conversation* conversation, Kind kind, Side sender,
                       const Arrival& arrival) {
  if (tcp::Conversation* const turns = as_tcp(connection)) {
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
void Protocols::take_unknown(Connection& connection, Side sender, Side client, const Arrival& arrival) {
  if (tcp_) {
    if (!connection.client_known) connection.set_client(client);
    if (!is_wanted(connection, connection.client)) return drop(connection);
    const Side server = other(connection.client);
    const bool from_start = connection.stream(connection.client).at_start() && connection.stream(server).next == 0;
    return attach(connection, make<tcp::Conversation>(connection, pool_, from_start), kTcp, sender, arrival);
  }
  const Stream& stream = connection.stream(sender);
  if (stream.at_start() && sender != connection.client) connection.greeted = true;
  const bool late =
      connection.greeted && sender == connection.client && stream.next >= tcp::Conversation::kMaxBeforeTls;
  if (late || (connection.greeted && !is_wanted(connection, connection.client))) connection.ignored = true;
}

/// What was taken for a known protocol is none: with --tcp its bytes so far, with
/// `length` ones of `sender` that came last, are the first turn's.
void Protocols::take_for_unknown(Connection& connection, Side sender, std::uint64_t length, const Arrival& arrival) {
  const Side first = connection.attachment->began_by;
  const Arrival began = connection.attachment->began;
  const bool whole = connection.stream(first).from_syn && connection.stream(other(first)).from_syn;
  const std::uint64_t numbered = talk_of(connection)->exchanges().count();
  connection.protocol = {};
  drop(connection);
  if (!tcp_ || numbered != 0 || !whole) return;
  connection.ignored = false;
  auto* const turns = make<tcp::Conversation>(connection, pool_, true);
  attach(connection, turns, kTcp, first, began);
  for (const Side side : {first, other(first)}) {
    const Stream& stream = connection.stream(side);
    const http::Role role = role_of(connection, side);
    const std::uint64_t count = stream.next;
    if (count == 0) continue;
    // No byte of it was captured.
    if (count == stream.missing) {
      turns->miss_back(role, 0, count, side == first ? began : arrival);
      continue;
    }
    const Arrival start =
        side == first ? began : Arrival{stream.last_time, arrival.frame, connection.stream(first).acknowledged};
    turns->take_back(role, 0, 1, start);
    if (count > 1) turns->take_back(role, 1, count - 1, {stream.last_time, start.frame, start.acknowledged});
  }
  if (length != 0) turns->take_back(role_of(connection, sender), connection.stream(sender).next, length, arrival);
}

/// The rest of give_up_undecided.
[[gnu::noinline]] void Protocols::give_up(http::Conversation& undecided, Connection& connection,
                                          const Arrival& arrival) {
  if (undecided.is_undecided()) undecided.give_up();
  take_for_unknown(connection, connection.client, 0, arrival);
}

void Protocols::drop(Connection& connection) {
  if (http::Talk* const talk = talk_of(connection)) with(*talk, [](auto& conversation) { destroy(conversation); });
  connection.attachment = nullptr;
  connection.ignored = true;
}

Side Protocols::client_of(const Connection& connection, Side sender) const {
  if (connection.client_known) return connection.client;
  const std::uint16_t(&ports)[2] = connection.key.ports;
  const bool asked_for[2] = {is_named(ports[0]), is_named(ports[1])};
  if (asked_for[0] != asked_for[1]) return asked_for[0] ? Side::high : Side::low;
  if (ports[0] == ports[1]) return sender;
  return ports[0] < ports[1] ? Side::high : Side::low;
}

bool Protocols::is_named(std::uint16_t port) const {
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

bool Protocols::is_wanted(const Connection& connection, Side client) const {
  return ports_.empty() || is_named(connection.key.ports[1 - index(client)]);
}

}  // namespace wirelap
