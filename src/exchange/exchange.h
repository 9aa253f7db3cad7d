// http: an exchange: a request with its response, and what was measured of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/time.h"
#include "flow/connection.h"
#include "flow/direction.h"

namespace wirelap {

/// How an exchange ended.
enum class Outcome : std::uint8_t {
  complete,     ///< request and response were there to their last byte
  no_response,  ///< the connection was closed without one
  reset,        ///< RST came first
  closed,       ///< the connection was closed inside the response
  gap,          ///< a hole in the capture hides where a message begins or ends
  capture_end,  ///< the capture ended first
  evicted,      ///< given up for want of memory
};

/// Whose exchange it is.
enum class Protocol : std::uint8_t {
  http,       ///< HTTP/1
  h2,         ///< HTTP/2 in clear (RFC 9113)
  tls,        ///< a turn of application data
  tcp,        ///< a turn of a protocol that is not known
  websocket,  ///< what follows an upgrade to it (RFC 6455)
  tunnel,     ///< what follows CONNECT, or an upgrade to anything else
};

/// One message of an exchange, as far as seen.
struct Message {
  Nanos first = kUnknownTime;         ///< when its first byte was there
  Nanos last = kUnknownTime;          ///< when its latest byte was there, in order
  Nanos resent_after = kUnknownTime;  ///< `last` before it was moved by bytes sent again
  std::uint64_t bytes = 0;            ///< of the stream, head and body
  std::uint64_t body_bytes = 0;       ///< without chunk framing
  std::uint64_t begin = 0;            ///< offset of its first byte in its stream
  std::uint64_t between = 0;          ///< bytes of others between its own (HTTP/2)
  bool begun = false;
  bool complete = false;

  std::uint64_t end() const { return begin + bytes + between; }
};

/// Bytes of a response that were there in order with one segment.
struct Step {
  Nanos time = 0;
  std::uint64_t packet = 0;
  std::uint64_t reached = 0;  ///< bytes of the response so far
};

using Steps = std::pmr::vector<Step>;

/// What exchanges are to keep, and records to have, beside what they always do.
struct Wanted {
  bool connections = false;          ///< records of connections, too
  bool steps = false;                ///< of responses
  std::vector<std::string> headers;  ///< names of fields, in lower case
  /// What records call them, one each; the fields' names where there are none.
  std::vector<std::string> header_columns;
};

/// Whether the pair is known that an exchange is.
enum class Pair : std::uint8_t {
  open,      ///< its request has no answer yet, or has its own
  kept,      ///< a response; which request it answers is not known
  joined,    ///< was settled after its response had ended
  given_up,  ///< its other half will never be known
};

/// What is known of an exchange but for its texts and lists.
struct ExchangeFacts {
  static constexpr int kNoStatus = -1;

  std::uint64_t number = 0;  ///< in its connection, from 1
  std::uint32_t stream = 0;  ///< of HTTP/2: its identifier
  Message request;
  Message response;
  Protocol protocol = Protocol::http;
  std::uint8_t minor_version = 1;  ///< HTTP/1.x, by the request, else by the response
  int status = kNoStatus;          ///< of the final response
  int grpc_status = kNoStatus;     ///< of a gRPC call: its trailer
  std::uint16_t tls_version = 0;   ///< ProtocolVersion (RFC 8446, section 4.2.1); 0: not known
  std::uint64_t missing_bytes = 0;
  std::uint64_t first_packet = 0;
  std::uint64_t last_packet = 0;
  Nanos ended = kUnknownTime;      ///< its last byte, or what ended it before
  Nanos idle = kUnknownTime;       ///< since the exchange before it or the handshake
  Nanos tls = 0;                   ///< what the TLS handshake took, on a first exchange; `spent` has it, too
  Nanos tls_first = kUnknownTime;  ///< when its first byte was there
  Nanos max_gap = 0;               ///< longest time between two packets inside it
  Nanos gap_alone = 0;             ///< the same before the next exchange began, while both are open
  TcpCounts tcp;                   ///< inside it
  CauseTimes causes;               ///< from its first byte to its end, by cause; adds up to that time
  bool attributed = false;         ///< `spent` is known: a round trip to either end was seen
  TcpCounts tcp_before;            ///< the connection's when it began
  CauseTimes causes_before;
  std::uint64_t seen = 0;          ///< of the response stream, by the request's first byte's segment
  std::uint64_t acknowledged = 0;  ///< of the request stream, by the response's first byte
  Outcome outcome = Outcome::complete;
  Pair pair = Pair::open;

  Message& message(Direction direction) { return direction == Direction::to_server ? request : response; }
};

/// A request and its response. Of an exchange whose request was not captured
/// (`request.begun` is false) the response's part alone is known.
struct Exchange : ExchangeFacts {
  /// What it keeps is kept in `memory`.
  explicit Exchange(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : method(memory), host(memory), target(memory), alpn(memory), headers(memory), steps(memory) {}
  std::pmr::memory_resource* memory() const { return method.get_allocator().resource(); }

  Text method, host, target;
  Text alpn;                                      ///< the application's protocol in TLS (RFC 7301); empty: none
  std::pmr::vector<std::optional<Text>> headers;  ///< values of the wanted fields, in their order
  Steps steps;                                    ///< of the response, where they are wanted
  /// About what it holds of memory.
  std::size_t held_bytes() const;

  Exchange* next = nullptr;  ///< in its queue
  Exchange* before = nullptr;
};

/// ExchangeLog in a row, linked through themselves. Owns none of them.
class ExchangeQueue {
 public:
  ExchangeQueue() = default;
  /// Leaves the other one empty.
  ExchangeQueue(ExchangeQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}

  bool empty() const { return first_ == nullptr; }
  Exchange* front() const { return first_; }
  Exchange* back() const { return last_; }
  std::size_t size() const { return size_; }
  void push_back(Exchange& exchange);
  /// Takes out the first exchange; null where there is none.
  Exchange* pop_front();
  /// Takes out `exchange`, which is in the queue, and returns the one before it (null for none).
  Exchange* remove(Exchange& exchange);

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Makes exchanges and uses some again: short strings keep their memory, so that
/// steady traffic allocates nothing.
class ExchangePool {
 public:
  /// ExchangeLog are made in `memory`. Both outlive the pool.
  explicit ExchangePool(const Wanted& wanted, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : wanted_(wanted), memory_(memory) {}
  ~ExchangePool();
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  const Wanted& wanted() const { return wanted_; }
  /// For what else is kept with exchanges.
  std::pmr::memory_resource* memory() const { return memory_; }

  /// An exchange as new.
  Exchange& take();
  void give_back(Exchange& exchange);

 private:
  static constexpr std::size_t kMostKept = 256;
  static constexpr std::size_t kMostKeptBytes = 256;  // of a string

  const Wanted& wanted_;
  std::pmr::memory_resource* memory_;
  Exchange* free_ = nullptr;  // the one that came back last, with the others behind it
  std::size_t kept_ = 0;      // of those
};

}  // namespace wirelap
