#include "fuzz/mutate.h"

#include <algorithm>
#include <utility>

#include "wire/decode.h"

namespace wirelap::fuzz {
namespace {

const Layout& layout_of(Shape shape) { return shape == Shape::capture ? kCaptureLayout : kScriptLayout; }

std::size_t pick(Random& random, std::size_t count) { return random() % count; }

/// Offsets of the TCP header and of the data in a packet; 0: it has none.
struct Places {
  std::size_t tcp = 0, data = 0;
};

Places find_tcp(const Pieces& capture, const Piece& piece) {
  PacketRecord record;
  record.bytes = piece.bytes;
  record.length = static_cast<std::uint32_t>(piece.bytes.size());
  record.link_type = load_le32(&capture.head[20]) & 0xffff;
  Segment segment;
  if (decode(record, segment) != DecodeError::none) return {};
  const auto options = static_cast<std::size_t>(segment.tcp.options.data() - piece.bytes.data());
  return {options - kTcpHeaderBytes, options + segment.tcp.options.size()};
}

void put_be(Buffer& bytes, std::size_t at, std::uint32_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> 8 * (size - 1 - i));
}

/// Corrects the length in the IP header, if one is directly before the TCP header at `tcp`.
void correct_length(Buffer& packet, std::size_t tcp) {
  const std::size_t length = std::min<std::size_t>(packet.size() - tcp, 65000);
  if (tcp >= 20 && packet[tcp - 20] == 0x45) put_be(packet, tcp - 18, static_cast<std::uint32_t>(length + 20), 2);
  if (tcp >= 40 && packet[tcp - 40] >> 4 == 6) put_be(packet, tcp - 36, static_cast<std::uint32_t>(length), 2);
}

void mutate_part(Buffer& bytes, std::size_t from, MutateBytes mutate_bytes) {
  constexpr std::size_t kMaxGrowth = 256;
  Buffer part(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end());
  const std::size_t size = part.size();
  part.resize(size + kMaxGrowth);
  part.resize(mutate_bytes(part.data(), size, part.size()));
  bytes.resize(from);
  test::append(bytes, part);
}

/// Changes one field of a TCP header to a value that is likely to matter.
void edit_tcp(Buffer& packet, std::size_t tcp, Random& random) {
  const std::uint32_t near = static_cast<std::uint32_t>(random() % 4096) - 2048;
  switch (random() % 5) {
    case 0: packet[tcp + 13] ^= static_cast<std::uint8_t>(1u << random() % 5); break;
    case 1: put_be(packet, tcp + 4, load_be32(&packet[tcp + 4]) + near, 4); break;
    case 2: put_be(packet, tcp + 8, load_be32(&packet[tcp + 8]) + near, 4); break;
    case 3: put_be(packet, tcp + 14, random() % 2 == 0 ? 0 : static_cast<std::uint32_t>(random()), 2); break;
    case 4: put_be(packet, tcp + random() % 20, static_cast<std::uint32_t>(random()), 1); break;
  }
}

void edit_time(Piece& piece, Random& random) {
  constexpr std::uint32_t kMillion = 1'000'000;
  const std::uint32_t micros = piece.load(4) + static_cast<std::uint32_t>(random() % (2u << random() % 24));
  piece.store(4, micros % kMillion);
  piece.store(0, piece.load(0) + micros / kMillion - (random() % 64 == 0 ? 2 : 0));
}

void edit_packet(Pieces& capture, Piece& piece, Random& random, MutateBytes mutate_bytes) {
  const std::size_t before = piece.bytes.size();
  const Places places = find_tcp(capture, piece);
  const unsigned choice = random() % 8;
  if (choice == 0) return edit_time(piece, random);
  if (choice == 1 || places.tcp == 0) {
    mutate_part(piece.bytes, 0, mutate_bytes);
  } else if (choice <= 4) {
    edit_tcp(piece.bytes, places.tcp, random);
  } else {
    mutate_part(piece.bytes, std::min(places.data, piece.bytes.size()), mutate_bytes);
    correct_length(piece.bytes, places.tcp);
  }
  piece.store(12, piece.load(12) + static_cast<std::uint32_t>(piece.bytes.size() - before));
}

void edit_step(Piece& step, Random& random, MutateBytes mutate_bytes) {
  switch (random() % 8) {
    case 0: step.header[0] ^= static_cast<std::uint8_t>(1u << random() % 8); break;
    case 1: step.header[1] = static_cast<std::uint8_t>(random()); break;
    default: mutate_part(step.bytes, 0, mutate_bytes);
  }
}

/// Removes, copies, swaps or cuts a piece of any shape.
void edit_order(std::vector<Piece>& all, std::size_t at, Random& random) {
  const std::size_t other = pick(random, all.size());
  switch (random() % 4) {
    case 0: all.erase(all.begin() + static_cast<std::ptrdiff_t>(at)); break;
    case 1: all.insert(all.begin() + static_cast<std::ptrdiff_t>(other), Piece(all[at])); break;
    case 2: std::swap(all[at], all[other]); break;
    case 3: all[at].bytes.resize(pick(random, all[at].bytes.size() + 1)); break;  // as a snaplen cuts it
  }
}

}  // namespace

Buffer mutate(Shape shape, Bytes input, std::size_t max_bytes, Random& random, MutateBytes mutate_bytes) {
  Pieces pieces = split_pieces(input, layout_of(shape));
  for (std::size_t edits = 1 + pick(random, 3); edits-- > 0 && !pieces.all.empty();) {
    const std::size_t at = pick(random, pieces.all.size());
    if (random() % 3 == 0) {
      edit_order(pieces.all, at, random);
    } else if (shape == Shape::capture) {
      edit_packet(pieces, pieces.all[at], random, mutate_bytes);
    } else {
      edit_step(pieces.all[at], random, mutate_bytes);
    }
  }
  return pieces.all.empty() ? Buffer() : put_together(pieces, layout_of(shape), max_bytes);
}

Buffer splice(Shape shape, Bytes a, Bytes b, std::size_t max_bytes, Random& random) {
  Pieces one = split_pieces(a, layout_of(shape)), two = split_pieces(b, layout_of(shape));
  if (one.all.empty() || two.all.empty()) return {};
  if (shape == Shape::script) {
    one.all.resize(1 + pick(random, one.all.size()));
    const auto from = two.all.begin() + static_cast<std::ptrdiff_t>(pick(random, two.all.size()));
    one.all.insert(one.all.end(), from, two.all.end());
  } else {
    const std::uint32_t shift = one.all.front().load(0) - two.all.front().load(0);
    for (Piece& piece : two.all) piece.store(0, piece.load(0) + shift);
    const std::size_t first = one.all.size();
    one.all.insert(one.all.end(), two.all.begin(), two.all.end());
    const auto time = [](const Piece& piece) { return std::pair(piece.load(0), piece.load(4)); };
    std::inplace_merge(one.all.begin(), one.all.begin() + static_cast<std::ptrdiff_t>(first), one.all.end(),
                       [&](const Piece& x, const Piece& y) { return time(x) < time(y); });
  }
  return put_together(one, layout_of(shape), max_bytes);
}

}  // namespace wirelap::fuzz
