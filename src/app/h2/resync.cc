#include "app/h2/resync.h"

#include <algorithm>

namespace wirelap::h2 {
namespace {

/// Flags that a type defines, by its number.
constexpr std::uint8_t kDefinedFlags[] = {
    kEndStream | kPadded,
    kEndStream | kEndHeaders | kPadded | kPriority,
    0,
    0,
    kSettled,
    kEndHeaders | kPadded,
    kSettled,
    0,
    0,
    kEndHeaders,
};

bool is_known(std::uint8_t type) { return type < sizeof kDefinedFlags; }

}  // namespace

FrameHeader decode_frame_header(const std::uint8_t* at) {
  const std::uint32_t stream = load_be32(at + 5);
  return {load_be32(at) >> 8, at[3], at[4], stream & kMaxStream, stream > kMaxStream};
}

bool is_possible(const FrameHeader& header, Direction direction, std::uint32_t max_frame_size) {
  if (header.length > max_frame_size) return false;
  const bool on_stream = header.stream != 0;
  const std::uint32_t pad_length = header.is_padded() ? 1 : 0;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::data: return on_stream && header.length >= pad_length;
    case FrameType::headers: return on_stream && header.length >= pad_length + (header.has(kPriority) ? 5U : 0U);
    case FrameType::priority: return on_stream && header.length == 5;
    case FrameType::rst_stream: return on_stream && header.length == 4;
    case FrameType::settings:
      return !on_stream && header.length % 6 == 0 && (!header.has(kSettled) || header.length == 0);
    case FrameType::push_promise:
      return on_stream && direction == Direction::to_client && header.length >= pad_length + 4;
    case FrameType::ping: return !on_stream && header.length == 8;
    case FrameType::goaway: return !on_stream && header.length >= 8;
    case FrameType::window_update: return header.length == 4;
    case FrameType::continuation: return on_stream;
  }
  return true;
}

bool Plausible::operator()(const FrameHeader& header) const {
  if (!is_known(header.type) || header.reserved || header.stream > highest_stream) return false;
  if ((header.flags & ~kDefinedFlags[header.type]) != 0) return false;
  if (header.stream % 2 == 0 && header.stream != 0) return false;
  const bool needs_payload = header.is(FrameType::headers) || (header.is(FrameType::data) && !header.has(kEndStream));
  if (needs_payload && header.length == 0) return false;
  return is_possible(header, direction, max_frame_size);
}

bool begins_with_preface(Bytes bytes, Direction direction) {
  constexpr std::size_t kEnough = 16;  // its request line
  if (direction != Direction::to_server || bytes.size() < kEnough) return false;
  const std::size_t count = std::min(bytes.size(), kPreface.size());
  return as_text(bytes.first(count)) == kPreface.substr(0, count);
}

bool frames_fill(Bytes bytes, const Plausible& plausible) {
  int headers = 0;
  while (bytes.size() >= kFrameHeaderBytes) {
    const FrameHeader header = decode_frame_header(bytes.data());
    if (!plausible(header)) return false;
    if (++headers == 2) return true;
    const std::size_t whole = kFrameHeaderBytes + header.length;
    if (bytes.size() <= whole) return bytes.size() == whole;
    bytes = bytes.subspan(whole);
  }
  return false;
}

void BoundarySearch::begin(std::uint64_t offset) {
  tail_bytes_ = 0;
  found_ = false;
  for (Chain& chain : chains_) {
    if (chain.next < offset) chain = {};
  }
}

bool BoundarySearch::look_at(const std::uint8_t* header_bytes, std::uint64_t offset, const Plausible& plausible,
                             FrameHeader& header) {
  const bool awaited =
      std::any_of(chains_, chains_ + kMaxChains, [&](const Chain& chain) { return chain.next == offset; });
  // No frame of a usual size has more in the first of its length's bytes.
  if (!awaited && header_bytes[0] != 0) return false;
  header = decode_frame_header(header_bytes);
  const bool good = plausible(header);
  Chain* longest = nullptr;
  Chain* unused = nullptr;
  for (Chain& chain : chains_) {
    if (chain.headers != 0 && chain.next == offset) {
      if (longest == nullptr || chain.headers > longest->headers) longest = &chain;
      if (!good) chain = {};
    }
    if (chain.headers == 0) unused = &chain;
  }
  if (!good) return false;
  if (longest == nullptr) longest = unused;
  if (longest == nullptr) return false;
  longest->headers += 1;
  longest->next = offset + kFrameHeaderBytes + header.length;
  return longest->headers >= kProof;
}

std::size_t BoundarySearch::feed(Bytes bytes, std::uint64_t offset, const Plausible& plausible, FrameHeader& header) {
  // Headers that began in the piece before.
  std::uint8_t joint[2 * (kFrameHeaderBytes - 1)];
  std::copy_n(tail_, tail_bytes_, joint);
  const std::size_t more = std::min(bytes.size(), kFrameHeaderBytes - 1);
  std::copy_n(bytes.data(), more, joint + tail_bytes_);
  const std::size_t joined = tail_bytes_ + more;
  for (std::size_t at = 0; at < tail_bytes_ && at + kFrameHeaderBytes <= joined; ++at) {
    if (!look_at(joint + at, offset - tail_bytes_ + at, plausible, header)) continue;
    const std::size_t taken = at + kFrameHeaderBytes - tail_bytes_;
    *this = {};
    found_ = true;
    return taken;
  }
  for (std::size_t at = 0; at + kFrameHeaderBytes <= bytes.size(); ++at) {
    if (!look_at(&bytes[at], offset + at, plausible, header)) continue;
    *this = {};
    found_ = true;
    return at + kFrameHeaderBytes;
  }
  // What may begin a header: the end of both.
  const std::size_t kept = std::min(kFrameHeaderBytes - 1, tail_bytes_ + bytes.size());
  if (bytes.size() >= kept) {
    std::copy_n(&bytes[bytes.size() - kept], kept, tail_);
  } else {
    std::copy_n(joint + joined - kept, kept, tail_);
  }
  tail_bytes_ = kept;
  found_ = false;
  return bytes.size();
}

}  // namespace wirelap::h2
