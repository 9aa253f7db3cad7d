#include "wire/tcp.h"

#include <algorithm>

namespace wirelap {
namespace {

/// Option kinds (IANA, TCP Option Kind Numbers).
enum OptionKind : std::uint8_t {
  kEndOfOptionList = 0,
  kNoOperation = 1,
  kMaxSegmentSize = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
};

constexpr std::uint8_t kMaxWindowShift = 14;  // RFC 7323, section 2.3

/// Decodes one option of `kind`; `body` is what follows its kind and length bytes.
void decode_option(std::uint8_t kind, Bytes body, TcpOptions& options) {
  switch (kind) {
    case kMaxSegmentSize:
      if (body.size() == 2) options.max_segment_size = load_be16(body.data());
      break;
    case kWindowScale:
      if (body.size() == 1) options.window_shift = static_cast<std::int8_t>(std::min(body[0], kMaxWindowShift));
      break;
    case kSackPermitted: options.sack_permitted = true; break;
    case kSack:
      for (std::size_t at = 0; at + 8 <= body.size() && options.sack_blocks < 4; at += 8) {
        options.sack[options.sack_blocks++] = {load_be32(&body[at]), load_be32(&body[at + 4])};
      }
      break;
    case kTimestamps:
      if (body.size() != 8) break;
      options.has_timestamps = true;
      options.tsval = load_be32(body.data());
      options.tsecr = load_be32(&body[4]);
      break;
    default: break;
  }
}

/// Whether `options` have the layout of Linux's SYN segments: Maximum Segment Size, SACK-Permitted,
/// Timestamps, No-Operation, Window Scale.
bool has_linux_syn_layout(Bytes options) {
  const std::uint8_t* const at = options.data();
  return options.size() == 20 && load_be16(at) == 0x0204 && load_be32(at + 4) == 0x0402080a &&
         load_be32(at + 16) >> 8 == 0x010303;
}

}  // namespace

TcpOptions decode_tcp_options(Bytes options) {
  TcpOptions decoded;
  if (has_linux_syn_layout(options)) {
    decoded.max_segment_size = load_be16(&options[2]);
    decoded.window_shift = static_cast<std::int8_t>(std::min(options[19], kMaxWindowShift));
    decoded.sack_permitted = true;
    decoded.has_timestamps = true;
    decoded.tsval = load_be32(&options[8]);
    decoded.tsecr = load_be32(&options[12]);
    return decoded;
  }
  while (!options.empty() && options[0] != kEndOfOptionList) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) break;
    decode_option(options[0], options.subspan(2, options[1] - 2u), decoded);
    options = options.subspan(options[1]);
  }
  return decoded;
}

[[gnu::noinline]] std::uint32_t decode_tsval_slowly(Bytes options) {
  if (has_linux_syn_layout(options)) return load_be32(&options[8]);
  return decode_tcp_options(options).tsval;
}

}  // namespace wirelap
