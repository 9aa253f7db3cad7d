// h2: the streams of one HTTP/2 connection in clear text as exchanges (RFC 9113).
//
// In: the bytes of both directions in order, with their arrivals, and sequence
// gaps. Out: exchanges, one for each stream, as they end.
//
// A message consists of its HEADERS, CONTINUATION and DATA frames, with their
// headers and padding. All other frames belong to no exchange. A field that HPACK
// cannot decode after a gap is unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/analyzer.h"
#include "app/h2/field_block.h"
#include "app/h2/frame_parser.h"
#include "app/h2/probe.h"
#include "app/h2/streams.h"

namespace wirelap::h2 {

class Analyzer : public wirelap::Analyzer {
 public:
  static Probe probe(const Opening& opening) { return h2::probe(opening); }

  Analyzer(const StreamView& view, ExchangePool& pool, const Probe& probe);

  /// Continues a connection of HTTP/1 after "Upgrade: h2c" (RFC 7540, section 3.2). `log` has its exchanges so far. The
  /// newest of them becomes stream 1 if it has no response yet. The client's stream is HTTP/2 from offset `requests`
  /// on, and the server's from offset `responses` on. `responses` is kNever where the 101 response was not captured.
  Analyzer(ExchangeLog&& log, std::uint64_t requests, std::uint64_t responses);

  void feed(Direction direction, const StreamData& data, const Arrival& arrival);
  void gap(Direction direction, std::uint64_t count, bool captured, const Arrival& arrival);
  void finish(Direction direction, const Arrival& arrival);
  void finish(Outcome outcome, Nanos time);
  std::uint64_t skippable(Direction direction) const { return state(direction).parser.skippable(); }
  std::size_t held_bytes() const;
  Verdict verdict() const { return not_h2_ && log_.count() == 0 ? Verdict::not_mine : Verdict::mine; }

 private:
  friend class FrameParser;  // which calls these functions
  void on_preface(Direction direction);
  void on_begin(Direction direction, std::uint64_t offset);
  void on_frame(Direction direction, const FrameHeader& header);
  void on_setting(Direction direction, std::uint16_t identifier, std::uint32_t value);
  void on_promise(Direction direction, std::uint32_t promised_stream);
  void on_goaway(Direction direction, std::uint32_t last_stream);
  void on_fragment(Direction direction, Bytes bytes);
  void on_bytes(Direction direction, std::uint64_t count, std::uint64_t content, bool not_captured);
  void on_incomplete(Direction direction);
  void on_end(Direction direction);
  void on_sync_lost(Direction direction, bool not_captured);

  /// One direction.
  struct DirectionState {
    DirectionState(Direction direction, std::uint64_t offset, Start start, const ExchangeLog& log)
        : parser(direction, offset, start), blocks(log.wanted().headers, log.memory()) {}

    FrameParser parser;
    FieldBlockDecoder blocks;
    FrameHeader frame;                 // the present frame
    std::uint64_t frame_begin = 0;     // its offset
    Arrival frame_arrival;             // of its first byte
    std::uint32_t highest_stream = 0;  // that its sender has begun
    bool has_gap = false;              // some of its frames are not known
  };

  DirectionState& state(Direction direction) { return states_[index(direction)]; }
  const DirectionState& state(Direction direction) const { return states_[index(direction)]; }
  DirectionState& client() { return state(Direction::to_server); }
  const DirectionState& client() const { return state(Direction::to_server); }
  DirectionState& server() { return state(Direction::to_client); }
  const DirectionState& server() const { return state(Direction::to_client); }

  // Before and after the bytes that are fed.
  void before_bytes(Direction direction, const Arrival& arrival);
  void after_bytes(Direction direction, std::uint64_t count);
  void expect_sender() const;

  // Which exchange a frame belongs to.
  Exchange* exchange_of_frame(Direction direction, const FrameHeader& header);
  Exchange* exchange_of_headers(Direction direction, std::uint32_t stream);
  Exchange* exchange_of_data(Direction direction, std::uint32_t stream);
  bool may_begin_response(std::uint32_t stream) const;
  void begin_message(Exchange& exchange, Direction direction);
  void count(Exchange& exchange, Direction direction, std::uint64_t bytes, std::uint64_t content, bool not_captured);

  // The fields of a block that has ended.
  void process_fields(Direction direction);
  void process_request(Exchange& exchange);
  void process_response(OpenStream& open, const FieldBlockDecoder& blocks);
  void process_promise();
  void record_headers(Exchange& exchange);

  // Where the frames or the settings of a direction are not known.
  void forget_frames(DirectionState& state);
  void allow_anything(Direction direction);

  Exchange* close_http1_exchanges();

  DirectionState states_[2];  // by Direction
  Streams streams_;
  FieldSection section_;                     // of the latest field block
  Arrival arrival_;                          // of the bytes that are being fed
  std::uint32_t highest_client_stream_ = 0;  // in any frame so far
  bool not_h2_ = false;                      // a parser found bytes that are not a frame
};

}  // namespace wirelap::h2
