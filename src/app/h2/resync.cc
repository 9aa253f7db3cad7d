#include "app/h2/resync.h"

#include <algorithm>

namespace wirelap::h2 {
namespace {

/// The flags that each type defines, by its number (RFC 9113, section 6).
constexpr std::uint8_t kDefinedFlags[] = {
    kEndStream | kPadded,
    kEndStream | kEndHeaders | kPadded | kPriority,
    0,
    0,
    kAckFlag,
    kEndHeaders | kPadded,
    kAckFlag,
    0,
    0,
    kEndHeaders,
};

bool is_known(std::uint8_t type) { return type < sizeof kDefinedFlags; }

}  // namespace

bool PlausibilityCheck::passes(const FrameHeader& header) const {
  if (!is_known(header.type) || header.reserved || header.stream_identifier > max_stream_identifier) return false;
  if ((header.flags & ~kDefinedFlags[header.type]) != 0) return false;
  if (header.stream_identifier % 2 == 0 && header.stream_identifier != 0) return false;
  const bool needs_payload = header.is(FrameType::headers) || (header.is(FrameType::data) && !header.has(kEndStream));
  if (needs_payload && header.length == 0) return false;
  return is_possible(header, direction, max_frame_size);
}

bool begins_with_frame(Bytes bytes, const PlausibilityCheck& check) {
  int headers = 0;
  while (bytes.size() >= kFrameHeaderBytes) {
    const FrameHeader header = decode_frame_header(bytes.data());
    if (!check.passes(header)) return false;
    if (++headers == 2) return true;
    const std::size_t whole = kFrameHeaderBytes + header.length;
    if (bytes.size() <= whole) return bytes.size() == whole;
    bytes = bytes.subspan(whole);
  }
  return false;
}

void BoundarySearch::restart(std::uint64_t offset) {
  tail_bytes_ = 0;
  found_ = false;
  for (Chain& chain : chains_) {
    if (chain.next < offset) chain = {};
  }
}

/// Tests the bytes at `offset` as a frame header, and adds it to the chain that expects a header there, or to a new
/// one. Returns whether that chain is now a proof.
bool BoundarySearch::completes_chain(const std::uint8_t* bytes, std::uint64_t offset, const PlausibilityCheck& check,
                                     FrameHeader& header) {
  const bool expected =
      std::any_of(chains_, chains_ + kMaxChains, [&](const Chain& chain) { return chain.next == offset; });
  // A chain begins only with a frame shorter than 2^16 bytes, as usual ones are: the first byte of its length is 0.
  if (!expected && bytes[0] != 0) return false;
  header = decode_frame_header(bytes);
  const bool plausible = check.passes(header);
  Chain* longest = nullptr;
  Chain* unused = nullptr;
  for (Chain& chain : chains_) {
    if (chain.headers != 0 && chain.next == offset) {
      if (longest == nullptr || chain.headers > longest->headers) longest = &chain;
      if (!plausible) chain = {};
    }
    if (chain.headers == 0) unused = &chain;
  }
  if (!plausible) return false;
  if (longest == nullptr) longest = unused;
  if (longest == nullptr) return false;
  longest->headers += 1;
  longest->next = offset + kFrameHeaderBytes + header.length;
  return longest->headers >= kHeadersForProof;
}

std::size_t BoundarySearch::feed(Bytes bytes, std::uint64_t offset, const PlausibilityCheck& check,
                                 FrameHeader& header) {
  // Headers that begin in the tail of the piece before and end in this one.
  std::uint8_t joined[2 * (kFrameHeaderBytes - 1)];
  std::copy_n(tail_, tail_bytes_, joined);
  const std::size_t from_piece = std::min(bytes.size(), kFrameHeaderBytes - 1);
  std::copy_n(bytes.data(), from_piece, joined + tail_bytes_);
  const std::size_t joined_bytes = tail_bytes_ + from_piece;
  for (std::size_t at = 0; at < tail_bytes_ && at + kFrameHeaderBytes <= joined_bytes; ++at) {
    if (!completes_chain(joined + at, offset - tail_bytes_ + at, check, header)) continue;
    const std::size_t used = at + kFrameHeaderBytes - tail_bytes_;
    finish();
    return used;
  }
  // Headers inside this piece.
  for (std::size_t at = 0; at + kFrameHeaderBytes <= bytes.size(); ++at) {
    if (!completes_chain(&bytes[at], offset + at, check, header)) continue;
    finish();
    return at + kFrameHeaderBytes;
  }
  // The last bytes, in which a header may begin, are the next tail. A short piece adds to the tail before.
  const std::size_t kept = std::min(kFrameHeaderBytes - 1, tail_bytes_ + bytes.size());
  if (bytes.size() >= kept) {
    std::copy_n(&bytes[bytes.size() - kept], kept, tail_);
  } else {
    std::copy_n(joined + joined_bytes - kept, kept, tail_);
  }
  tail_bytes_ = kept;
  found_ = false;
  return bytes.size();
}

}  // namespace wirelap::h2
