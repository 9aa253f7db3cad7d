// fuzz: decodes records to segments. The fast and the slow path agree, a segment
// lies within its record, and a snaplen removes bytes and changes nothing else. Each
// record ends before a page that cannot be read.
#include <array>

#include "fuzz/pieces.h"
#include "fuzz/target.h"
#include "support/guarded.h"
#include "wire/decoder.h"

namespace wirelap::fuzz {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;  // of a record

bool is_same(const Segment& a, const Segment& b) {
  const auto is_same_place = [](Bytes x, Bytes y) { return x.data() == y.data() && x.size() == y.size(); };
  return a.time == b.time && a.packet == b.packet && a.vlan.count == b.vlan.count && a.vlan.ids[0] == b.vlan.ids[0] &&
         a.vlan.ids[1] == b.vlan.ids[1] && a.tunnel == b.tunnel && a.ip.source() == b.ip.source() &&
         a.ip.destination() == b.ip.destination() && a.ip.version == b.ip.version && a.ip.id == b.ip.id &&
         a.tcp.source_port == b.tcp.source_port && a.tcp.destination_port == b.tcp.destination_port &&
         a.tcp.sequence == b.tcp.sequence && a.tcp.acknowledgment == b.tcp.acknowledgment &&
         a.tcp.window == b.tcp.window && a.tcp.flags == b.tcp.flags && is_same_place(a.tcp.options, b.tcp.options) &&
         is_same_place(a.data, b.data) && a.data_length == b.data_length;
}

void check_within(Bytes part, Bytes whole) {
  if (part.empty()) return;
  require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_segment(const PacketRecord& record, const Segment& segment) {
  require(segment.data.size() <= segment.data_length);
  require(segment.ip.version == 4 || segment.ip.version == 6);
  check_within(segment.data, record.bytes);
  check_within(segment.tcp.options, record.bytes);
}

/// The slow path, which decodes each header in turn.
DecodeError decode_slowly(const PacketRecord& record, Segment& segment) {
  DecodeState state = initial_state(record);
  return decode_headers(state, record, segment);
}

/// Checks that `record`, cut to `snap` bytes, has the same headers as `whole` and a part of its data.
void check_snapped(const PacketRecord& record, const Segment& whole, std::size_t snap, test::GuardedBuffer& guarded) {
  PacketRecord cut = record;
  cut.bytes = guarded.hold(record.bytes.first(std::min(snap, record.bytes.size())));
  Segment segment;
  if (decode(cut, segment) != DecodeError::none) return;
  check_segment(cut, segment);
  require(segment.tcp.sequence == whole.tcp.sequence && segment.data_length == whole.data_length);
  require(segment.ip.source() == whole.ip.source() && segment.ip.destination() == whole.ip.destination());
  require(std::equal(segment.data.begin(), segment.data.end(), whole.data.begin(), whole.data.end()) ||
          segment.data.size() < whole.data.size());
}

void check_record(const PacketRecord& record, std::size_t snap, test::GuardedBuffer& spare) {
  Segment fast, slow;
  const DecodeError error = decode(record, fast);
  require(decode_slowly(record, slow) == error);
  if (error != DecodeError::none) return;
  check_segment(record, fast);
  require(is_same(fast, slow));
  check_snapped(record, fast, snap, spare);
}

}  // namespace

void run_decode(Bytes input) {
  static test::GuardedBuffer guarded, spare;
  const Pieces pieces = split_pieces(input, kCaptureLayout);
  if (pieces.head.empty()) return;
  const std::uint32_t link_type = load_le32(&pieces.head[20]) & 0xffff;
  Decoder decoder;
  PacketRecord record;
  for (const Piece& piece : pieces.all) {
    record.number += 1;
    record.time = piece.load(0) * kNanosPerSecond + piece.load(4);
    record.link_type = link_type;
    record.length = std::max(piece.load(12), static_cast<std::uint32_t>(piece.bytes.size()));
    record.bytes = guarded.hold(Bytes(piece.bytes).first(std::min(piece.bytes.size(), kMaxBytes)));
    check_record(record, choice(input, 0), spare);
    Segment segment;
    if (decoder.decode(record, segment)) require(segment.data.size() <= segment.data_length);
  }
  decoder.finish();
  const DecodeCounts& counts = decoder.counts();
  require(counts.records == pieces.all.size());
  std::uint64_t errors = 0;
  for (const DecodeErrorCounts::Count& count : counts.errors.sorted()) {
    require(!decode_error_text(count.error, count.detail).empty());
    errors += count.records;
  }
  require(errors == counts.errors.total() && errors <= counts.records);
}

}  // namespace wirelap::fuzz
