// h2: the open streams of one connection, and how each of them ends.
//
// In: what frames do to streams (they begin, end or reset one, or refuse some), and
// sequence gaps. Out: the exchange of each stream, closed with its outcome.
//
// A frame contains the identifier of its stream, so it is always known which
// response answers which request. It is not known what was in a sequence gap: a
// stream that may have lost a frame to it ends with the outcome gap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exchange/log.h"
#include "flow/direction.h"

namespace wirelap::h2 {

/// Whether a client begins this stream, with a request. Servers begin the others, by a push (RFC 9113, section 5.1.1).
inline bool is_client_stream(std::uint32_t stream) { return stream % 2 == 1; }

/// An open stream.
struct OpenStream {
  std::uint32_t identifier;
  Exchange* exchange;
  bool has_gap[2] = {false, false};  ///< by Direction: frames of the message may not have been captured
  bool may_be_answered = false;      ///< the whole response may have been in a sequence gap
  bool has_final_status = false;     ///< the status of the final response is known

  Message& message(Direction direction) { return exchange->message(direction); }
};

class Streams {
 public:
  /// `log` outlives it. The client's bytes before offset `requests_end` are processed.
  Streams(ExchangeLog& log, std::uint64_t requests_end) : log_(log), open_(log.memory()), requests_end_(requests_end) {}

  /// The open stream; null where it is not open. Valid until a stream is opened or ends.
  OpenStream* find(std::uint32_t stream);

  /// Opens a stream whose first byte came with `arrival`. If there are too many, the oldest ends at `now` as evicted.
  OpenStream& open(std::uint32_t stream, const Arrival& arrival, Nanos now);
  /// Adds a stream whose exchange is open already. It is the only one.
  OpenStream& add_upgraded(std::uint32_t stream, Exchange& exchange);

  /// The exchange that the present frame of a direction belongs to; null where it belongs to none.
  Exchange* present(Direction direction) const { return present_[index(direction)]; }
  void set_present(Direction direction, Exchange* exchange) { present_[index(direction)] = exchange; }

  /// Ends a message with the bytes that came at `time`.
  void end_message(Direction direction, std::uint32_t stream, Nanos time);
  /// Ends a stream that was reset at `time`.
  void reset(std::uint32_t stream, Nanos time);
  /// Whether the stream is among the last ones that were reset.
  bool was_reset(std::uint32_t stream) const;
  /// Ends the streams above `last_stream` that have no response: a GOAWAY at `time` refuses them (RFC 9113, section
  /// 6.8).
  void refuse_above(std::uint32_t last_stream, Nanos time);

  /// Records that frames of `direction` up to `time` were not captured, or were not understood.
  void record_gap(Direction direction, Nanos time);
  /// Records that the client's bytes before `offset` are processed.
  void record_requests_end(std::uint64_t offset, Nanos time);

  /// Ends all streams: nothing more comes.
  void end_all(Outcome outcome, Nanos time);

  /// Approximate memory of the table, in bytes.
  std::size_t held_bytes() const { return open_.capacity() * sizeof(OpenStream); }

 private:
  static constexpr std::size_t kMaxResets = 16;

  void finish_if_complete(OpenStream& open, Nanos time);
  void finish_answered();
  void finish(OpenStream& open, Outcome outcome, Nanos time);
  void close(OpenStream& open, Outcome outcome);
  void discard(OpenStream& open);
  void remove(OpenStream& open);

  ExchangeLog& log_;
  std::pmr::vector<OpenStream> open_;          // by identifier
  Exchange* present_[2] = {nullptr, nullptr};  // by Direction
  std::uint64_t requests_end_;                 // the client's bytes before this offset are processed
  std::uint32_t resets_[kMaxResets] = {};      // the streams that were reset last
  std::uint32_t reset_count_ = 0;
  bool response_waits_ = false;  // a complete response may wait for its request to be captured
};

}  // namespace wirelap::h2
