// timing: attributes the time of one connection to causes, in one pass.
//
// In: the segments and acknowledgments of a connection, with their offsets. Out: cause times, and counts of lost,
// retransmitted, reordered and duplicate segments. It keeps a few points of history for each direction, and no packets.
//
//   SendHistory, ReceiverWindow, LossDetector    the state of each direction (SenderState)
//   RoundTrips                                   the distance to both ends
//   Attribution                                  the ledger, and the rules that attribute the time between two arrivals
//
// A Timing updates these with each event.
#pragma once

#include <cstdint>
#include <memory_resource>

#include "base/memory.h"
#include "base/time.h"
#include "flow/counts.h"
#include "flow/key.h"
#include "flow/packet_identity.h"
#include "timing/attribution.h"
#include "timing/causes.h"
#include "timing/placed_segment.h"
#include "timing/round_trips.h"
#include "timing/sender_state.h"

namespace wirelap {

class Timing {
 public:
  /// Keeps its history in `memory`.
  explicit Timing(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
  std::pmr::memory_resource* memory() const { return memory_; }

  const CauseTimes& causes() const { return attribution_.ledger().causes; }

  /// The cause times up to `time`, if no more packets come before it.
  CauseTimes causes_until(Nanos time, Side client) const {
    return attribution_.causes_until(time, client, senders_[index(other(client))], round_trips_);
  }

  /// The shortest round trip from the capture point to `side` and back, in the handshake or of an acknowledgment;
  /// kUnknownTime where there was neither.
  Nanos round_trip_to(Side side) const { return round_trips_.shortest(side); }
  /// Records a measured round trip.
  void record_round_trip(Side side, Nanos measured);

  /// Whether bytes of `sender` may still get lost after the capture point.
  bool may_get_lost(Side sender) const;

  /// Sets the longest payload of one segment that either end may send, in bytes; 0: not known. To be called before the
  /// functions below.
  void set_full_lengths(std::uint32_t bytes) {
    for (SenderState& sender : senders_) {
      sender.history.set_full_length(bytes);
      sender.losses.ids().set_full_length(bytes);
    }
  }

  /// To be called before the segments of `sender`, with its latest packet (without an ID where there was none).
  /// `own_ids`: it counts IP IDs for each connection, not for all its connections together.
  void begin_stream(Side sender, const PacketIdentity& latest, bool own_ids) {
    state_of(sender).losses.ids().begin(latest, own_ids);
  }

  /// Sets the right edge of the window that limits `sender` since `time`.
  void set_right_edge(Side sender, std::uint64_t edge, Nanos time) {
    state_of(sender).window.record(edge, time, 0, memory_);
  }

  /// Starts at `time`, the end of the handshake, with waiting for the server: it sends first.
  void begin_with_server(Side client, Nanos time) { attribution_.begin_with_server(client, time); }

  /// Records that `side` is to send next, as the messages show. While the server is to send, segments of the client do
  /// not end the time that is attributed to the server.
  void expect(Side side) { attribution_.expect(side); }

  /// Processes a packet of `sender`, with or without payload, that is not a duplicate.
  void process_packet(Side sender, const PacketIdentity& packet) { state_of(sender).losses.process_packet(packet); }

  /// Records that `sender` has sent all bytes before `offset`, as the sequence number of a segment without payload
  /// shows.
  void record_position(Side sender, std::uint64_t offset) { state_of(sender).losses.record_position(offset); }

  /// Records that `sender` sent a segment of at most one byte, before its next byte: a keep-alive, or a window probe
  /// (RFC 9293, 3.8.6.1) because the window update has not reached it.
  void record_probe(Side sender, Nanos time) {
    ReceiverWindow& window = state_of(sender).window;
    const bool probes = attribution_.last_sender() == sender && !window.is_closed();
    if (probes && window.reopened() >= attribution_.ledger().until) window.reopen(time);
  }

  /// Records that packets of `sender` were not captured, so that IP IDs left out do not show losses.
  void record_not_captured(Side sender) { state_of(sender).losses.forget_left_out_ids(); }

  /// Records that no segment of `sender` waits behind a sequence gap any more.
  void end_sequence_gap(Side sender) { state_of(sender).losses.end_gap(); }

  /// Whether process_acknowledgment() needs PlacedAcknowledgment::duplicate_sack.
  bool needs_duplicate_sack() const { return retransmission_ != nullptr; }

  /// Processes an acknowledgment of `side`. Returns whether it shows that the latest retransmission was spurious.
  bool process_acknowledgment(Side side, const PlacedAcknowledgment& now, TcpCounts& counts);

  /// The fast path of process_acknowledgment(), for an acknowledgment that advertises an open window. Returns false and
  /// does nothing where there is more to do.
  bool process_next_acknowledgment(Side side, std::uint64_t offset, std::uint64_t edge, Nanos time) {
    SenderState& data = state_of(other(side));
    if (data.window.is_closed() || retransmission_ != nullptr) return false;
    record_acknowledged(data, side, offset, edge, time);
    return true;
  }

  /// Processes a segment with payload, before its bytes are delivered. Returns whether it is a retransmission of bytes
  /// that were captured before and lost after the capture point.
  bool process_payload(const PlacedSegment& placed, Side client, TcpCounts& counts);

  /// The fast path of process_payload(), for a segment that begins at `begin`, the next offset of its stream, while no
  /// segment waits behind a gap. For most of these, the time before them is the network's. Returns false and does
  /// nothing where that is not certain.
  [[gnu::always_inline]] bool process_next(Side sender, Side client, std::uint64_t begin, const PacketIdentity& packet,
                                           bool pushed) {
    SenderState& from = state_of(sender);
    const std::uint64_t end = begin + packet.length;
    const std::uint64_t since = attribution_.time_since_last(packet.time);
    if (attribution_.last_sender() != sender || since >= std::uint64_t{LossDetector::kSoonestRetransmission} ||
        from.history.ended_short() || attribution_.is_sent_meanwhile(sender, client) ||
        !is_paced_by_network(from, sender, begin, end, packet))
      return false;
    attribution_.attribute_to_network(since, packet.time);
    from.losses.forget_left_out_ids();
    record_new(from, end, packet, pushed);
    return true;
  }

 private:
  /// The latest retransmission, which may turn out to be spurious.
  struct Retransmission {
    Side sender;
    std::uint64_t end;  // offset after its last byte
    Nanos time;
    Attribution::LossUndo undo;
    std::pmr::memory_resource* made_in;

    Retransmission(const PlacedSegment& placed, const Attribution::LossUndo& to_undo, std::pmr::memory_resource* memory)
        : sender(placed.sender),
          end(static_cast<std::uint64_t>(placed.end())),
          time(placed.packet.time),
          undo(to_undo),
          made_in(memory) {}
    std::pmr::memory_resource* memory() const { return made_in; }
  };

  SenderState& state_of(Side side) { return *hold(&senders_[index(side)]); }
  const SenderState& state_of(Side side) const { return senders_[index(side)]; }

  /// Whether the short time since the sender's previous segment is the network's alone: the window had room for
  /// `packet`, and an acknowledgment released it just now, or has not yet. This is a quick test: true is certain, false
  /// is not.
  bool is_paced_by_network(SenderState& from, Side sender, std::uint64_t begin, std::uint64_t end,
                           const PacketIdentity& packet) const {
    const Nanos until = attribution_.ledger().until;
    if (!from.window.was_open(end, packet.length, from.history.full_length(), until,
                              round_trips_.shortest_or_zero(sender)))
      return false;
    const OffsetLog& acknowledged = from.history.acknowledged();
    return !acknowledged.has_reached(begin) ||
           packet.time - acknowledged.time_of(begin) - round_trips_.shortest_or_zero(sender) <=
               round_trips_.tolerance();
  }

  /// Records that `side` acknowledges all bytes before `offset` of the other end's stream, and permits those before
  /// `edge`. `data`: the state of the other end.
  void record_acknowledged(SenderState& data, Side side, std::uint64_t offset, std::uint64_t edge, Nanos time) {
    const Nanos grain = round_trips_.grain();  // from before this round trip
    if (!data.history.acknowledged().has_reached(offset)) {
      measure_round_trip(data.history.sent(), side, offset, time);
      data.history.record_acknowledged(offset, time, grain, memory_);
    }
    data.window.record(edge, time, grain, memory_);
  }

  /// Measures the round trip to `side` by its first acknowledgment of bytes that were `sent`.
  void measure_round_trip(const OffsetLog& sent, Side side, std::uint64_t offset, Nanos time) {
    const Nanos sent_at = sent.time_of(offset);
    if (sent_at <= OffsetLog::kLongAgo) return;
    const Nanos took = time - sent_at;
    if (round_trips_.is_shorter(side, took)) record_round_trip(side, took);
    // The acknowledgment of bytes that were sent before a sequence gap was filled waited for that.
    const bool in_flight = sent.has_reached(offset + 1);
    if (in_flight && sent_at > gap_filled_) round_trips_.set_latest(side, took);
  }

  /// Records that `packet` brought new bytes, up to offset `end`.
  void record_new(SenderState& from, std::uint64_t end, const PacketIdentity& packet, bool pushed) {
    from.history.record(end, packet, pushed, from.window, from.losses.ids(), round_trips_.grain(),
                        attribution_.network_so_far(), memory_);
  }

  void process_in_order(SenderState& from, const ArrivingSegment& segment, TcpCounts& counts);
  // Rare cases, kept out of the code that every segment needs.
  [[gnu::noinline]] bool process_seen_before(SenderState& from, const ArrivingSegment& segment, TcpCounts& counts);
  [[gnu::noinline]] void begin_sequence_gap(SenderState& from, const ArrivingSegment& segment);
  [[gnu::noinline]] void fill_sequence_gap(SenderState& from, const PlacedSegment& placed, TcpCounts& counts);
  bool looks_retransmitted(const ArrivingSegment& segment) const;
  bool is_probe_for_lost_tail(const ArrivingSegment& segment) const;
  void charge_loss(SenderState& from, const ArrivingSegment& segment);
  bool was_spurious(Side data_sender, const PlacedAcknowledgment& now) const;
  void forget_drained_queue(const PlacedSegment& placed);

  SenderState senders_[2];  // by Side
  Attribution attribution_;
  RoundTrips round_trips_;
  Nanos gap_filled_ = kUnknownTime;       // when a sequence gap was last filled, whole or in part
  Owned<Retransmission> retransmission_;  // null: none that may be spurious
  std::pmr::memory_resource* memory_;
};

}  // namespace wirelap
