#include "wire/fragments.h"

#include <algorithm>
#include <utility>

namespace wirelap {

bool FragmentReassembler::belongs(const DecodeState& state, const Datagram& datagram) {
  return state.fragment.id == datagram.id && state.ip.source() == datagram.source &&
         state.ip.destination() == datagram.destination && state.ip.version == datagram.version &&
         state.tunnel == datagram.tunnel && state.vlan.count == datagram.vlan.count &&
         state.vlan.ids[0] == datagram.vlan.ids[0] && state.vlan.ids[1] == datagram.vlan.ids[1] &&
         (state.ip.version == 6 || state.layer.type == datagram.protocol);
}

void FragmentReassembler::remove(std::size_t at) {
  waiting_bytes_ -= waiting_[at].bytes.size();
  if (at + 1 != waiting_.size()) waiting_[at] = std::move(waiting_.back());
  waiting_.pop_back();
}

void FragmentReassembler::discard(std::size_t at) {
  counts_.add(DecodeError::fragment_incomplete, 0, waiting_[at].fragments);
  remove(at);
}

void FragmentReassembler::finish() {
  while (!waiting_.empty()) discard(waiting_.size() - 1);
}

std::size_t FragmentReassembler::find_or_create(const DecodeState& state, Nanos time) {
  for (std::size_t at = 0; at < waiting_.size(); ++at) {
    if (!belongs(state, waiting_[at])) continue;
    if (time - waiting_[at].first_time <= kMaxAge) return at;
    discard(at);
    break;
  }
  if (waiting_.size() == kMaxDatagrams) discard_oldest(0);
  Datagram& added = waiting_.emplace_back();
  added.source = state.ip.source();
  added.destination = state.ip.destination();
  added.tunnel = state.tunnel;
  added.vlan = state.vlan;
  added.id = state.fragment.id;
  added.version = state.ip.version;
  added.protocol = static_cast<std::uint8_t>(state.layer.type);
  added.first_time = time;
  added.number = ++datagram_count_;
  added.gaps.push_back({0, kMaxPayload});
  return waiting_.size() - 1;
}

/// Discards the datagram that has waited longest, except the one with number `except_number` (0: none).
void FragmentReassembler::discard_oldest(std::uint64_t except_number) {
  std::size_t oldest = waiting_[0].number == except_number ? 1 : 0;
  for (std::size_t at = oldest + 1; at < waiting_.size(); ++at) {
    if (waiting_[at].number < waiting_[oldest].number && waiting_[at].number != except_number) oldest = at;
  }
  discard(oldest);
}

/// Discards datagrams other than the one at `at` until `bytes` more may be stored. Returns where that one is now.
std::size_t FragmentReassembler::make_room(std::size_t at, std::size_t bytes) {
  const std::uint64_t number = waiting_[at].number;
  while (waiting_.size() > 1 && waiting_bytes_ + bytes > kMaxBytes) discard_oldest(number);
  at = 0;
  while (waiting_[at].number != number) ++at;
  return at;
}

/// Sets the datagram's end, which its last fragment determines. A last fragment that contradicts earlier
/// fragments does not set the end, so that its datagram never becomes complete.
void FragmentReassembler::set_end(Datagram& datagram, std::uint32_t end) {
  if (datagram.end_known || datagram.bytes.size() > end) return;
  datagram.end_known = true;
  std::erase_if(datagram.gaps, [end](const Gap& gap) { return gap.begin >= end; });
  for (Gap& gap : datagram.gaps) gap.end = std::min(gap.end, end);
}

/// Copies the bytes of a fragment that fall into gaps; the other bytes arrived before. Returns false when too
/// many gaps are left.
bool FragmentReassembler::fill_gaps(Datagram& datagram, const FragmentHeader& header, Bytes bytes,
                                    std::uint32_t length) {
  const std::uint32_t begin = header.offset, end = header.offset + length;
  const std::uint32_t captured_end = begin + static_cast<std::uint32_t>(bytes.size());
  std::vector<Gap>& gaps = datagram.gaps;
  for (std::size_t at = 0; at < gaps.size();) {
    const Gap gap = gaps[at];
    const std::uint32_t from = std::max(begin, gap.begin), to = std::min(end, gap.end);
    if (from >= to) {
      ++at;
      continue;
    }
    if (to > captured_end) datagram.captured_end = std::min(datagram.captured_end, std::max(from, captured_end));
    if (datagram.bytes.size() < to) datagram.bytes.resize(to);
    const std::uint32_t copied_to = std::min(to, captured_end);
    if (from < copied_to) {
      std::copy_n(bytes.begin() + (from - begin), copied_to - from, datagram.bytes.begin() + from);
    }
    gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(at));
    for (const Gap rest : {Gap{to, gap.end}, Gap{gap.begin, from}}) {
      if (rest.begin < rest.end) gaps.insert(gaps.begin() + static_cast<std::ptrdiff_t>(at), rest);
    }
    // The remaining parts of the gap do not overlap the fragment: the next iterations skip them.
  }
  return gaps.size() <= kMaxGaps;
}

/// Sets `state` to the payload of the datagram at `at`, which is complete, and removes the datagram.
void FragmentReassembler::complete(DecodeState& state, std::size_t at) {
  Datagram& datagram = waiting_[at];
  counts_.add(DecodeError::fragment, 0, datagram.fragments - 1);
  const auto length = static_cast<std::uint32_t>(datagram.bytes.size());
  const std::uint32_t captured = std::min(datagram.captured_end, length);
  state.layer.type = datagram.protocol;
  state.layer.length = length;
  waiting_bytes_ -= datagram.bytes.size();
  completed_ = std::move(datagram.bytes);
  datagram.bytes.clear();
  remove(at);
  state.layer.bytes = Bytes(completed_).first(captured);
}

DecodeError FragmentReassembler::add(DecodeState& state, Nanos time) {
  const FragmentHeader header = state.fragment;
  const Layer layer = state.layer;
  // The length of each fragment but the last is a multiple of 8 (RFC 791, section 3.2; RFC 8200, section 4.5).
  const bool malformed = layer.length == 0 || header.offset + layer.length > kMaxPayload ||
                         (header.more_fragments && layer.length % 8 != 0);
  if (malformed) return DecodeError::fragment_malformed;
  const std::size_t at = make_room(find_or_create(state, time), header.offset + layer.length);

  Datagram& datagram = waiting_[at];
  ++datagram.fragments;
  if (header.offset == 0) datagram.protocol = static_cast<std::uint8_t>(layer.type);
  if (!header.more_fragments) set_end(datagram, header.offset + layer.length);
  const std::size_t bytes_before = datagram.bytes.size();
  const bool is_bounded = fill_gaps(datagram, header, layer.bytes, layer.length);
  waiting_bytes_ += datagram.bytes.size() - bytes_before;
  if (!is_bounded) {
    discard(at);
    return DecodeError::fragment;
  }
  if (!datagram.end_known || !datagram.gaps.empty()) return DecodeError::fragment;
  // Only now may completed_ change: the fragment itself may be part of it (a fragment within a tunnel).
  complete(state, at);
  return DecodeError::none;
}

}  // namespace wirelap
