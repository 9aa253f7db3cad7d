#include "wire/fragments.h"

#include <algorithm>
#include <utility>

namespace wirelap {

bool Fragments::belongs(const DecodeState& walk, const Datagram& datagram) {
  return walk.fragment.id == datagram.id && walk.ip.source() == datagram.source &&
         walk.ip.destination() == datagram.destination && walk.ip.version == datagram.version &&
         walk.tunnel == datagram.tunnel && walk.vlan.count == datagram.vlan.count &&
         walk.vlan.ids[0] == datagram.vlan.ids[0] && walk.vlan.ids[1] == datagram.vlan.ids[1] &&
         (walk.ip.version == 6 || walk.layer.type == datagram.protocol);
}

void Fragments::remove(std::size_t at) {
  held_bytes_ -= waiting_[at].bytes.size();
  if (at + 1 != waiting_.size()) waiting_[at] = std::move(waiting_.back());
  waiting_.pop_back();
}

void Fragments::give_up(std::size_t at) {
  counts_.add(DecodeError::fragment_incomplete, 0, waiting_[at].pieces);
  remove(at);
}

void Fragments::finish() {
  while (!waiting_.empty()) give_up(waiting_.size() - 1);
}

std::size_t Fragments::find_or_add(const DecodeState& walk, Nanos time) {
  for (std::size_t at = 0; at < waiting_.size(); ++at) {
    if (!belongs(walk, waiting_[at])) continue;
    if (time - waiting_[at].began <= kMaxAge) return at;
    give_up(at);
    break;
  }
  if (waiting_.size() == kMaxDatagrams) give_up_oldest(0);
  Datagram& added = waiting_.emplace_back();
  added.source = walk.ip.source();
  added.destination = walk.ip.destination();
  added.tunnel = walk.tunnel;
  added.vlan = walk.vlan;
  added.id = walk.fragment.id;
  added.version = walk.ip.version;
  added.protocol = static_cast<std::uint8_t>(walk.layer.type);
  added.began = time;
  added.number = ++datagrams_;
  added.holes.push_back({0, kMaxPayload});
  return waiting_.size() - 1;
}

/// Gives up the datagram that waits longest, but not number `spared`.
void Fragments::give_up_oldest(std::uint64_t spared) {
  std::size_t oldest = waiting_[0].number == spared ? 1 : 0;
  for (std::size_t at = oldest + 1; at < waiting_.size(); ++at) {
    if (waiting_[at].number < waiting_[oldest].number && waiting_[at].number != spared) oldest = at;
  }
  give_up(oldest);
}

/// The last fragment tells the datagram's end. Where it contradicts what came
/// before it is taken for another piece, so that such a datagram never gets whole.
void Fragments::set_end(Datagram& datagram, std::uint32_t end) {
  if (datagram.end_known || datagram.bytes.size() > end) return;
  datagram.end_known = true;
  std::erase_if(datagram.holes, [end](const Hole& hole) { return hole.begin >= end; });
  for (Hole& hole : datagram.holes) hole.end = std::min(hole.end, end);
}

/// Copies what falls into holes; the others' bytes came first. False where there get too many.
bool Fragments::fill(Datagram& datagram, const FragmentHeader& header, Bytes bytes, std::uint32_t length) {
  const std::uint32_t begin = header.offset, end = header.offset + length;
  const std::uint32_t captured_end = begin + static_cast<std::uint32_t>(bytes.size());
  std::vector<Hole>& holes = datagram.holes;
  for (std::size_t at = 0; at < holes.size();) {
    const Hole hole = holes[at];
    const std::uint32_t from = std::max(begin, hole.begin), to = std::min(end, hole.end);
    if (from >= to) {
      ++at;
      continue;
    }
    if (to > captured_end) datagram.captured = std::min(datagram.captured, std::max(from, captured_end));
    if (datagram.bytes.size() < to) datagram.bytes.resize(to);
    const std::uint32_t copied_to = std::min(to, captured_end);
    if (from < copied_to) {
      std::copy_n(bytes.begin() + (from - begin), copied_to - from, datagram.bytes.begin() + from);
    }
    holes.erase(holes.begin() + static_cast<std::ptrdiff_t>(at));
    for (const Hole rest : {Hole{to, hole.end}, Hole{hole.begin, from}}) {
      if (rest.begin < rest.end) holes.insert(holes.begin() + static_cast<std::ptrdiff_t>(at), rest);
    }
    // What is left lies beside the fragment: it is passed over by the next rounds.
  }
  return holes.size() <= kMaxHoles;
}

DecodeError Fragments::take(DecodeState& walk, Nanos time) {
  const FragmentHeader header = walk.fragment;
  const Layer layer = walk.layer;
  // All but the last are a multiple of 8 bytes long (RFC 791, 3.2; RFC 8200, 4.5).
  const bool malformed =
      layer.length == 0 || header.offset + layer.length > kMaxPayload || (header.more && layer.length % 8 != 0);
  if (malformed) return DecodeError::fragment_malformed;
  std::size_t at = find_or_add(walk, time);
  const std::uint64_t number = waiting_[at].number;
  while (waiting_.size() > 1 && held_bytes_ + header.offset + layer.length > kMaxBytes) give_up_oldest(number);
  at = 0;
  while (waiting_[at].number != number) ++at;

  Datagram& datagram = waiting_[at];
  ++datagram.pieces;
  if (header.offset == 0) datagram.protocol = static_cast<std::uint8_t>(layer.type);
  if (!header.more) set_end(datagram, header.offset + layer.length);
  const std::size_t before = datagram.bytes.size();
  const bool fits = fill(datagram, header, layer.bytes, layer.length);
  held_bytes_ += datagram.bytes.size() - before;
  if (!fits) {
    give_up(at);
    return DecodeError::fragment;
  }
  if (!datagram.end_known || !datagram.holes.empty()) return DecodeError::fragment;

  counts_.add(DecodeError::fragment, 0, datagram.pieces - 1);
  // The fragment itself may lie in the datagram handed out before: it is copied by now.
  const auto length = static_cast<std::uint32_t>(datagram.bytes.size());
  const std::uint32_t captured = std::min(datagram.captured, length);
  walk.layer.type = datagram.protocol;
  walk.layer.length = length;
  held_bytes_ -= datagram.bytes.size();
  whole_ = std::move(datagram.bytes);
  datagram.bytes.clear();
  remove(at);
  walk.layer.bytes = Bytes(whole_).first(captured);
  return DecodeError::none;
}

}  // namespace wirelap
