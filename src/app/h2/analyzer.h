// h2: the streams of one HTTP/2 connection in clear as exchanges (RFC 9113).
//
// In: both directions' bytes in order, with their arrivals, and holes. Out:
// exchanges, one a stream, as they end.
//
// A message's bytes are those of its HEADERS, CONTINUATION and DATA frames, with
// their headers and padding; all other frames belong to no exchange. Frames name
// their stream, so that a request and its response never need to be guessed to
// be a pair. What a hole hides is not guessed either: a stream of which a frame
// may be missing is a gap, and a field that HPACK lost is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/analyzer.h"
#include "app/h2/field_block.h"
#include "app/h2/frame.h"
#include "app/h2/probe.h"

namespace wirelap::h2 {

class Analyzer : public wirelap::Analyzer {
 public:
  static Probe probe(const Opening& opening) { return h2::probe(opening); }

  Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe);

  /// Continues a connection of HTTP/1 after "Upgrade: h2c" (RFC 7540, section 3.2). `log` has its exchanges so far. The
  /// newest one is stream 1, if it has no response yet. The client's stream is HTTP/2 from offset `requests` on, the
  /// server's from `responses` on; kNever where the 101 response was not captured.
  Analyzer(ExchangeLog&& log, std::uint64_t requests, std::uint64_t responses);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);
  void gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void finish(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const { return state(direction).parser.skippable(); }
  std::size_t held_bytes() const;
  Verdict verdict() const { return not_h2_ && log_.count() == 0 ? Verdict::not_mine : Verdict::mine; }

 private:
  friend class FrameParser;  // calls the events below
  void on_preface(Direction direction);
  void on_begin(Direction direction, std::uint64_t offset);
  void on_frame(Direction direction, const FrameHeader& header);
  void on_setting(Direction direction, std::uint16_t identifier, std::uint32_t value);
  void on_promise(Direction direction, std::uint32_t stream);
  void on_goaway(Direction direction, std::uint32_t last_stream);
  void on_fragment(Direction direction, Bytes bytes);
  void on_bytes(Direction direction, std::uint64_t count, std::uint64_t content, bool missing);
  void on_damage(Direction direction);
  void on_end(Direction direction);
  void on_lost(Direction direction, bool missing);

  static constexpr std::size_t kResetsKept = 16;

  /// An open stream.
  struct Open {
    std::uint32_t stream;
    Exchange* exchange;
    bool holed[2] = {false, false};  // by Direction: frames of its message may be missing
    bool may_be_over = false;        // its whole response may be missing
    bool final_status = false;       // the final response's status was told
  };

  /// One direction.
  struct DirectionState {
    DirectionState(Direction direction, std::uint64_t offset, Start start, const ExchangeLog& log)
        : parser(direction, offset, start), blocks(log.wanted().headers, log.memory()) {}

    FrameParser parser;
    BlockDecoder blocks;
    FrameHeader frame;                 // the present one
    std::uint64_t begin = 0;           // its offset
    Arrival arrival;                   // of its first byte
    std::uint32_t highest_stream = 0;  // begun by this end
    Exchange* exchange = nullptr;      // whose message the present frame is a part of
    bool was_lost = false;             // frames of it are missing
  };

  DirectionState& state(Direction direction) { return states_[static_cast<int>(direction)]; }
  const DirectionState& state(Direction direction) const { return states_[static_cast<int>(direction)]; }
  DirectionState& client() { return state(Direction::to_server); }
  DirectionState& server() { return state(Direction::to_client); }

  Open* find(std::uint32_t stream);
  Open& open_stream(std::uint32_t stream, const Arrival& arrival);
  Exchange* exchange_for_headers(Direction direction, std::uint32_t stream);
  Exchange* exchange_for_data(Direction direction, std::uint32_t stream);
  bool may_begin_response(std::uint32_t stream) const;
  bool was_reset(std::uint32_t stream) const;
  void begin_message(Exchange& exchange, Direction direction);
  void count(Exchange& exchange, Direction direction, std::uint64_t bytes, std::uint64_t content, bool missing);

  void end_block(Direction direction);
  void take_fields(Direction direction);
  void take_request(Exchange& exchange);
  void take_response(Open& open, const BlockDecoder& block);
  void take_promise();
  void keep_headers(Exchange& exchange);

  void end_message(Direction direction, std::uint32_t stream);
  void take_reset(std::uint32_t stream);
  void finish_if_complete(Open& open);
  void finish_stream(Open& open, Outcome outcome, Nanos time, bool summed_up = false);
  void pass_requests();
  void finish_answered();
  void end_open(Outcome outcome, Nanos time);
  void prepare(Direction direction, const Arrival& arrival);
  void settle(Direction direction, std::uint64_t count);
  void allow_anything(Direction direction);
  void expect_sender() const;

  DirectionState states_[2];               // by Direction
  std::pmr::vector<Open> open_;            // by stream
  FieldSection section_;                   // of the latest block
  Arrival arrival_;                        // of the bytes being fed
  std::uint64_t requests_end_ = 0;         // offset of the end of the client's bytes so far
  std::uint32_t reset_[kResetsKept] = {};  // streams reset lately
  std::uint32_t resets_ = 0;
  std::uint32_t highest_seen_ = 0;  // stream of any frame, of those that a client begins
  bool responses_wait_ = false;     // whole ones, whose requests may still be captured
  bool not_h2_ = false;
};

}  // namespace wirelap::h2
