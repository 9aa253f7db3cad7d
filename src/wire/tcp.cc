#include "wire/tcp.h"

#include <algorithm>

namespace wirelap {
namespace {

/// Takes one option, `body` being what follows its kind and length.
void take_option(std::uint8_t kind, Bytes body, TcpOptions& options) {
  switch (kind) {
    case 2:
      if (body.size() == 2) options.max_segment_size = load_be16(body.data());
      break;
    case 3:
      if (body.size() == 1) options.window_shift = static_cast<std::int8_t>(std::min<int>(body[0], 14));
      break;
    case 4: options.sack_permitted = true; break;
    case 5:
      for (std::size_t at = 0; at + 8 <= body.size() && options.sack_blocks < 4; at += 8) {
        options.sack[options.sack_blocks++] = {load_be32(&body[at]), load_be32(&body[at + 4])};
      }
      break;
    case 8:
      if (body.size() != 8) break;
      options.has_timestamps = true;
      options.tsval = load_be32(body.data());
      options.tsecr = load_be32(&body[4]);
      break;
    default: break;
  }
}

/// Whether these are as Linux sends them with a SYN: segment size, SACK permitted, timestamps, a filler, window scale.
bool are_usual_with_syn(Bytes options) {
  const std::uint8_t* const at = options.data();
  return options.size() == 20 && load_be16(at) == 0x0204 && load_be32(at + 4) == 0x0402080a &&
         load_be32(at + 16) >> 8 == 0x010303;
}

}  // namespace

TcpOptions decode_tcp_options(Bytes options) {
  TcpOptions parsed;
  if (are_usual_with_syn(options)) {
    parsed.max_segment_size = load_be16(&options[2]);
    parsed.window_shift = static_cast<std::int8_t>(std::min<int>(options[19], 14));
    parsed.sack_permitted = true;
    parsed.has_timestamps = true;
    parsed.tsval = load_be32(&options[8]);
    parsed.tsecr = load_be32(&options[12]);
    return parsed;
  }
  while (!options.empty() && options[0] != 0) {
    if (options[0] == 1) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) break;
    take_option(options[0], options.subspan(2, options[1] - 2u), parsed);
    options = options.subspan(options[1]);
  }
  return parsed;
}

[[gnu::noinline]] std::uint32_t decode_tsval_slow(Bytes options) {
  if (are_usual_with_syn(options)) return load_be32(&options[8]);
  return decode_tcp_options(options).tsval;
}

}  // namespace wirelap
