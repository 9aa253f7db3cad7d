#include "flow/handshake.h"

#include <algorithm>

#include "flow/connection.h"

namespace wirelap {
namespace {

/// Whether the sender of a SYN counts IP IDs by connection, as Linux does. Linux is recognized by the options of its
/// SYN (MSS, then SACK and timestamps or fillers, then the window scale), and by ID 0 in its SYN-ACK.
bool has_own_ids(const Segment& segment) {
  if ((segment.tcp.flags & kAck) != 0 && segment.ip.id == 0) return true;
  const Bytes options = segment.tcp.options;
  if (options.size() < 12 || options[0] != 2) return false;
  const std::uint32_t second = load_be32(&options[4]);
  return second == 0x0402080a || second == 0x01010402;
}

Offer make_offer(const TcpOptions& options, const Segment& segment) {
  return {true,
          options.max_segment_size,
          options.window_shift,
          options.has_timestamps,
          options.sack_permitted,
          segment.ip.version == 4 && has_own_ids(segment)};
}

/// Windows are scaled where both ends offered that (RFC 7323, 2.2).
void agree_on_scales(Connection& connection) {
  const Offer* const offers = connection.offers;
  const bool scaled = offers[0].window_shift >= 0 && offers[1].window_shift >= 0;
  for (const int side : {0, 1}) connection.scales[side] = scaled ? offers[side].window_shift : std::int8_t{0};
}

/// A segment of `sender` echoes (TSecr; RFC 7323, 4.1) the SYN or SYN-ACK that it answers: returns by how many ticks of
/// the other end's clock that is older than the one which the other end sent last. 0: it answers the last one, or this
/// is not known.
std::int32_t echo_lag(const Connection& connection, Side sender, const TcpOptions& options) {
  const PacketIdentity& last = connection.latest_packets[index(other(sender))];
  const bool is_known = options.has_timestamps && options.tsecr != 0 && last.tsval != 0;
  if (!is_known || (last.flags & kSyn) == 0) return 0;
  return std::max(static_cast<std::int32_t>(last.tsval - options.tsecr), 0);
}

void record_start(Connection& connection, bool is_syn_ack, Nanos time) {
  Handshake& handshake = connection.handshake;
  if (handshake.ack != kUnknownTime) return;
  connection.opening = true;
  const bool has_syn_ack = handshake.first_syn_ack != kUnknownTime;
  const bool retransmitted = is_syn_ack ? has_syn_ack : handshake.first_syn != kUnknownTime;
  if (retransmitted) connection.counts.retransmitted += 1;
  // A SYN after the SYN-ACK was retransmitted because the SYN-ACK got lost: that counts when it is retransmitted
  // itself.
  if (retransmitted && is_syn_ack == has_syn_ack && !connection.closed) connection.counts.lost += 1;
  if (is_syn_ack) {
    if (!has_syn_ack) handshake.first_syn_ack = time;
    handshake.syn_ack = time;
  } else {
    if (!retransmitted) handshake.first_syn = time;
    if (!has_syn_ack) handshake.last_syn = time;
  }
}

/// The client answers one of several SYN-ACKs. Where that is not the last, nothing was lost: the last one answered a
/// SYN that was retransmitted while the first SYN-ACK was on its way.
void record_answered_syn_ack(Connection& connection, const Segment& answer) {
  const std::int32_t lag = echo_lag(connection, connection.client, decode_tcp_options(answer.tcp.options));
  if (lag == 0) return;
  constexpr Nanos kTick = 1'000'000;  // of the clocks of Linux, macOS and Windows
  Handshake& handshake = connection.handshake;
  handshake.syn_ack = std::max(handshake.first_syn_ack, handshake.syn_ack - lag * kTick);
  connection.counts.lost -= std::min(connection.counts.lost, 1U);
}

}  // namespace

void record_syn(Connection& connection, Side sender, const Segment& segment) {
  const bool is_syn_ack = (segment.tcp.flags & kAck) != 0;
  connection.set_client(is_syn_ack ? other(sender) : sender);
  const TcpOptions options = decode_tcp_options(segment.tcp.options);
  connection.offers[index(sender)] = make_offer(options, segment);
  if (connection.has_both_offers()) agree_on_scales(connection);
  Handshake& handshake = connection.handshake;
  const bool answers_one_of_several =
      is_syn_ack && handshake.first_syn_ack == kUnknownTime && handshake.last_syn != handshake.first_syn;
  if (answers_one_of_several) handshake.crossed = echo_lag(connection, sender, options) != 0;
  record_start(connection, is_syn_ack, segment.time);
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
  if (handshake.syn_ack != handshake.first_syn_ack) record_answered_syn_ack(connection, segment);
}

}  // namespace wirelap
