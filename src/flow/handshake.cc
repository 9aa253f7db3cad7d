#include "flow/handshake.h"

#include <algorithm>

#include "flow/connection.h"

namespace wirelap {
namespace {

/// Linux counts IP IDs by connection. It is told by its SYN's options (MSS,
/// SACK and timestamps or fillers, then the window's scale), or by ID 0 in its answer.
bool has_own_ids(const Segment& segment) {
  if ((segment.tcp.flags & kAck) != 0 && segment.ip.id == 0) return true;
  const Bytes options = segment.tcp.options;
  if (options.size() < 12 || options[0] != 2) return false;
  const std::uint32_t second = load_be32(&options[4]);
  return second == 0x0402080a || second == 0x01010402;
}

void note_offer(Offer& offer, const TcpOptions& options, const Segment& segment) {
  offer = {true,
           options.max_segment_size,
           options.window_shift,
           options.has_timestamps,
           options.sack_permitted,
           segment.ip.version == 4 && has_own_ids(segment)};
}

/// Windows are scaled where both said so (RFC 7323, 2.2).
void agree_on_scales(Connection& connection) {
  const Offer* const offers = connection.offers;
  const bool scaled = offers[0].window_shift >= 0 && offers[1].window_shift >= 0;
  for (const int side : {0, 1}) connection.scales[side] = scaled ? offers[side].window_shift : std::int8_t{0};
}

/// By how much the SYN or SYN-ACK that a segment of `sender` echoes is older, on its own clock (RFC 7323, 4.1),
/// than the one that the other end sent last; 0 where it answers that, or nothing tells.
std::int32_t echo_lag(const Connection& connection, Side sender, const TcpOptions& options) {
  const PacketIdentity& last = connection.latest_packets[index(other(sender))];
  const bool tells = options.has_timestamps && options.tsecr != 0 && last.tsval != 0;
  if (!tells || (last.flags & kSyn) == 0) return 0;
  return std::max(static_cast<std::int32_t>(last.tsval - options.tsecr), 0);
}

void note_handshake_start(Connection& connection, bool answer, Nanos time) {
  Handshake& handshake = connection.handshake;
  if (handshake.ack != kUnknownTime) return;
  connection.opening = true;
  const bool answered = handshake.first_syn_ack != kUnknownTime;
  const bool again = answer ? answered : handshake.first_syn != kUnknownTime;
  if (again) connection.counts.retransmitted += 1;
  // A SYN that follows its answer was sent again because the answer got lost.
  if (again && answer == answered && !connection.closed) connection.counts.lost += 1;
  if (answer) {
    if (!answered) handshake.first_syn_ack = time;
    handshake.syn_ack = time;
  } else {
    if (!again) handshake.first_syn = time;
    if (!answered) handshake.last_syn = time;
  }
}

/// The client's answer is to one of several SYN-ACKs: where that is not the last, the last answered a SYN that was sent
/// again while the other was on its way.
void note_answered(Connection& connection, const Segment& answer) {
  const std::int32_t lag = echo_lag(connection, connection.client, decode_tcp_options(answer.tcp.options));
  if (lag == 0) return;
  constexpr Nanos kTick = 1'000'000;  // of the clocks of Linux, macOS and Windows
  Handshake& handshake = connection.handshake;
  handshake.syn_ack = std::max(handshake.first_syn_ack, handshake.syn_ack - lag * kTick);
  connection.counts.lost -= std::min(connection.counts.lost, 1U);
}

}  // namespace

void record_syn(Connection& connection, Side sender, const Segment& segment) {
  const bool answer = (segment.tcp.flags & kAck) != 0;
  connection.set_client(answer ? other(sender) : sender);
  const TcpOptions options = decode_tcp_options(segment.tcp.options);
  note_offer(connection.offers[index(sender)], options, segment);
  if (connection.agreed()) agree_on_scales(connection);
  Handshake& handshake = connection.handshake;
  const bool asked_again =
      answer && handshake.first_syn_ack == kUnknownTime && handshake.last_syn != handshake.first_syn;
  if (asked_again) handshake.crossed = echo_lag(connection, sender, options) != 0;
  note_handshake_start(connection, answer, segment.time);
}

void record_handshake(Connection& connection, Side sender, const Segment& segment) {
  Handshake& handshake = connection.handshake;
  if (connection.counts.packets > 1) {
    handshake.max_gap = std::max(handshake.max_gap, segment.time - connection.last_time);
  }
  if (handshake.syn_ack == kUnknownTime || sender != connection.client) return;
  if ((segment.tcp.flags & (kAck | kSyn | kRst)) != kAck) return;
  handshake.ack = segment.time;
  connection.opening = false;
  if (handshake.syn_ack != handshake.first_syn_ack) note_answered(connection, segment);
}

}  // namespace wirelap
