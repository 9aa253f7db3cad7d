#include "app/h2/field_block.h"

#include <utility>

namespace wirelap::h2 {

void BlockDecoder::begin(const FrameHeader& frame, std::uint64_t begin, const Arrival& arrival) {
  place_ = {frame, begin, arrival, 0, 0};
  open_ = true;
  damaged_ = false;
}

void BlockDecoder::add(Bytes fragment) {
  if (damaged_ || fragment.empty()) return;
  if (fragments_.empty() && whole_.empty()) {
    whole_ = fragment;
    return;
  }
  keep();
  if (fragments_.size() + fragment.size() > kMaxBytes) {
    damaged_ = true;
  } else {
    fragments_.append(as_text(fragment));
  }
}

void BlockDecoder::keep() {
  if (!whole_.empty()) fragments_.assign(as_text(std::exchange(whole_, {})));
}

void BlockDecoder::decode(FieldSection& section) {
  const auto* const collected = reinterpret_cast<const std::uint8_t*>(fragments_.data());
  const Bytes block = fragments_.empty() ? whole_ : Bytes(collected, fragments_.size());
  if (damaged_) {
    decoder_.decode_cut(block, section);
  } else {
    damaged_ = !decoder_.decode(block, section);
  }
  open_ = false;
  whole_ = {};
  release(fragments_);
}

}  // namespace wirelap::h2
