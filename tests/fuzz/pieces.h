// fuzz: inputs in pieces: the records of a pcap file, or the steps of a script. Any
// bytes are accepted; the last piece may be shorter than the length in its header.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "fuzz/target.h"
#include "support/packets.h"

namespace wirelap::fuzz {

using test::Buffer;

/// How the inputs of a shape are laid out: bytes before the first piece, bytes of a piece's header, and the place of
/// the length in that header, little-endian.
struct Layout {
  std::size_t head_bytes, header_bytes, length_at, length_bytes;
};
inline constexpr Layout kCaptureLayout{24, 16, 8, 4};
inline constexpr Layout kScriptLayout{0, 4, 2, 2};

struct Piece {
  std::array<std::uint8_t, 16> header{};
  Buffer bytes;

  std::uint32_t load(std::size_t at) const { return load_le32(&header[at]); }
  void store(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) header[at + i] = static_cast<std::uint8_t>(value >> 8 * i);
  }
};

struct Pieces {
  Buffer head;
  std::vector<Piece> all;
};

inline Pieces split_pieces(Bytes input, const Layout& layout) {
  Pieces pieces;
  if (input.size() < layout.head_bytes) return pieces;
  pieces.head.assign(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(layout.head_bytes));
  input = input.subspan(layout.head_bytes);
  while (input.size() >= layout.header_bytes) {
    Piece& piece = pieces.all.emplace_back();
    std::copy_n(input.begin(), layout.header_bytes, piece.header.begin());
    std::size_t length = 0;
    for (std::size_t i = layout.length_bytes; i-- > 0;) length = length << 8 | piece.header[layout.length_at + i];
    input = input.subspan(layout.header_bytes);
    const Bytes bytes = input.first(std::min(length, input.size()));
    piece.bytes.assign(bytes.begin(), bytes.end());
    input = input.subspan(bytes.size());
  }
  return pieces;
}

/// Returns an input of these pieces, with their present lengths in their headers. Omits those beyond `max_bytes`.
inline Buffer put_together(const Pieces& pieces, const Layout& layout, std::size_t max_bytes) {
  Buffer output = pieces.head;
  for (const Piece& piece : pieces.all) {
    const std::size_t begin = output.size();
    const std::size_t length =
        layout.length_bytes == 2 ? std::min<std::size_t>(piece.bytes.size(), 0xffff) : piece.bytes.size();
    if (begin + layout.header_bytes + length > max_bytes) break;
    output.insert(output.end(), piece.header.begin(),
                  piece.header.begin() + static_cast<std::ptrdiff_t>(layout.header_bytes));
    for (std::size_t i = 0; i < layout.length_bytes; ++i) {
      output[begin + layout.length_at + i] = static_cast<std::uint8_t>(length >> 8 * i);
    }
    test::append(output, Bytes(piece.bytes).first(length));
  }
  return output;
}

}  // namespace wirelap::fuzz
