// exchange: a request with its response, and what was measured of it.
//
// In: what an analyzer learns about its messages. Out: the facts from which a
// record is made. Nothing here knows a protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/time.h"
#include "flow/connection.h"
#include "flow/direction.h"
#include "timing/causes.h"

namespace wirelap {

/// How an exchange ended.
enum class Outcome : std::uint8_t {
  complete,     ///< request and response arrived to their last byte
  no_response,  ///< the connection was closed without a response
  reset,        ///< a RST came before the end
  closed,       ///< the connection was closed inside the response
  gap,          ///< bytes that were not captured hide where a message begins or ends
  capture_end,  ///< the capture ended before the exchange
  evicted,      ///< given up to free memory
};

/// One message of an exchange, as far as it was seen.
struct Message {
  Nanos first = kUnknownTime;  ///< when its first byte arrived
  Nanos last = kUnknownTime;   ///< when its latest byte arrived, in order
  /// `last` before a retransmission moved it; kUnknownTime: none did.
  Nanos last_before_retransmission = kUnknownTime;
  std::uint64_t bytes = 0;       ///< of the stream, head and body
  std::uint64_t body_bytes = 0;  ///< of content, without chunk framing
  std::uint64_t begin = 0;       ///< offset of its first byte in its stream
  std::uint64_t between = 0;     ///< bytes of other messages between its own (HTTP/2)
  bool begun = false;
  bool complete = false;

  /// Offset after its latest byte.
  std::uint64_t end() const { return begin + bytes + between; }
};

/// Bytes of a response that one segment brought in order.
struct Step {
  Nanos time = 0;
  std::uint64_t packet = 0;   ///< number of the packet
  std::uint64_t reached = 0;  ///< bytes of the response so far
};

using Steps = std::pmr::vector<Step>;

/// What exchanges keep, and records contain, in addition to the usual columns.
struct Wanted {
  bool connections = false;          ///< records of connections
  bool steps = false;                ///< steps of responses
  std::vector<std::string> headers;  ///< names of header fields, in lower case
  /// The column of each of `headers`. Empty: the columns are named as the fields are.
  std::vector<std::string> header_columns;
};

/// Whether it is known which request and which response belong together.
enum class Match : std::uint8_t {
  open,       ///< a request that waits for its response or has it
  unmatched,  ///< a response whose request is not known yet
  joined,     ///< a request and a response that were matched after the response had ended
  given_up,   ///< the other half will never be known
};

/// Facts of an exchange, without its texts and lists.
struct ExchangeFacts {
  static constexpr int kNoStatus = -1;

  std::uint64_t number = 0;  ///< in its connection, from 1
  std::uint32_t stream = 0;  ///< HTTP/2: the stream identifier
  Message request;
  Message response;
  std::string_view protocol;        ///< as in records, such as "http/1.1"; a name that outlives all exchanges
  bool encrypted = false;           ///< a turn of TLS application data
  int status = kNoStatus;           ///< of the final response
  int grpc_status = kNoStatus;      ///< gRPC: the trailer grpc-status
  std::uint16_t tls_version = 0;    ///< ProtocolVersion (RFC 8446, section 4.2.1); 0: not known
  std::uint64_t missing_bytes = 0;  ///< bytes of its messages that were not captured
  std::uint64_t first_packet = 0;
  std::uint64_t last_packet = 0;
  Nanos ended = kUnknownTime;      ///< its last byte, or what ended it before that
  Nanos idle = kUnknownTime;       ///< since the end of the exchange before it or of the handshake
  Nanos tls = 0;                   ///< duration of the TLS handshake, for a first exchange; `causes` includes it
  Nanos tls_first = kUnknownTime;  ///< when the first byte of the TLS handshake arrived
  Nanos max_gap = 0;               ///< longest time between two packets inside it
  Nanos gap_alone = 0;       ///< longest time between two packets before the next exchange began, while both are open
  TcpCounts tcp;             ///< counts of packets inside it
  CauseTimes causes;         ///< from its first byte to its end; they sum to that time
  bool attributed = false;   ///< `causes` is known, since a round trip to either end was seen
  TcpCounts tcp_before;      ///< the connection's counts when it began
  CauseTimes causes_before;  ///< the connection's cause times when it began
  /// Offset in the response stream that the segment with the request's first byte acknowledged.
  std::uint64_t request_acknowledges = 0;
  /// Offset in the request stream that the segment with the response's first byte acknowledged.
  std::uint64_t response_acknowledges = 0;
  Outcome outcome = Outcome::complete;
  Match match = Match::open;

  Message& message(Direction direction) { return direction == Direction::to_server ? request : response; }
};

/// A request and its response. Where the request was not captured (`request.begun` is false) only the
/// response's part is known.
struct Exchange : ExchangeFacts {
  /// Keeps its texts and lists in `memory`.
  explicit Exchange(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : method(memory), host(memory), target(memory), alpn(memory), headers(memory), steps(memory) {}
  std::pmr::memory_resource* memory() const { return method.get_allocator().resource(); }

  Text method, host, target;
  Text alpn;                                      ///< protocol inside TLS (RFC 7301); empty: none
  std::pmr::vector<std::optional<Text>> headers;  ///< values of the wanted header fields, in their order
  Steps steps;                                    ///< of the response, where steps are wanted

  /// Approximate memory that it holds, in bytes.
  std::size_t held_bytes() const;

  Exchange* next = nullptr;  ///< in its queue
  Exchange* before = nullptr;
};

/// A list of exchanges that are linked through themselves. It owns none of them.
class ExchangeQueue {
 public:
  ExchangeQueue() = default;
  /// Leaves `other` empty.
  ExchangeQueue(ExchangeQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}

  bool empty() const { return first_ == nullptr; }
  Exchange* front() const { return first_; }
  Exchange* back() const { return last_; }
  std::size_t size() const { return size_; }
  void push_back(Exchange& exchange);
  /// Removes and returns the first exchange; null where there is none.
  Exchange* pop_front();
  /// Removes `exchange`, which is in the queue. Returns the one before it; null where it was the first.
  Exchange* remove(Exchange& exchange);

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Makes exchanges and reuses them. Short strings keep their memory, so that steady traffic allocates nothing.
class ExchangePool {
 public:
  /// Makes exchanges in `memory`. `wanted` and `memory` outlive the pool.
  explicit ExchangePool(const Wanted& wanted, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : wanted_(wanted), memory_(memory) {}
  ~ExchangePool();
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  const Wanted& wanted() const { return wanted_; }
  /// The memory for everything that is kept along with exchanges.
  std::pmr::memory_resource* memory() const { return memory_; }

  /// Returns an empty exchange. The caller gives it back.
  Exchange& take();
  void give_back(Exchange& exchange);

 private:
  static constexpr std::size_t kMaxSpare = 256;
  static constexpr std::size_t kMaxSpareTextBytes = 256;

  const Wanted& wanted_;
  std::pmr::memory_resource* memory_;
  Exchange* spare_ = nullptr;  // the one given back last, linked to the others
  std::size_t spares_ = 0;
};

}  // namespace wirelap
