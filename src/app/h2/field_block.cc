#include "app/h2/field_block.h"

#include <utility>

namespace wirelap::h2 {

void FieldBlockDecoder::begin(const FrameHeader& frame, std::uint64_t begin, const Arrival& arrival) {
  block_ = {frame, begin, arrival, 0, 0};
  is_open_ = true;
  is_incomplete_ = false;
}

void FieldBlockDecoder::add(Bytes fragment) {
  if (is_incomplete_ || fragment.empty()) return;
  if (fragments_.empty() && borrowed_.empty()) {
    borrowed_ = fragment;
    return;
  }
  copy_borrowed();
  if (fragments_.size() + fragment.size() > kMaxBytes) {
    is_incomplete_ = true;
  } else {
    fragments_.append(as_text(fragment));
  }
}

void FieldBlockDecoder::copy_borrowed() {
  if (!borrowed_.empty()) fragments_.assign(as_text(std::exchange(borrowed_, {})));
}

void FieldBlockDecoder::decode(FieldSection& section) {
  const auto* const collected = reinterpret_cast<const std::uint8_t*>(fragments_.data());
  const Bytes block = fragments_.empty() ? borrowed_ : Bytes(collected, fragments_.size());
  if (is_incomplete_) {
    decoder_.decode_prefix(block, section);
  } else {
    is_incomplete_ = !decoder_.decode(block, section);
  }
  is_open_ = false;
  borrowed_ = {};
  release(fragments_);
}

}  // namespace wirelap::h2
