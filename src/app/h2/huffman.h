// h2: the Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
//
// In: the bytes of one encoded string, whole. Out: the string.
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

namespace wirelap::h2 {

/// Appends the decoded string to `text`. False where it has EOS in it, padding
/// of 8 bits or more, or padding of other bits than EOS's first: such a string
/// is an error, and what was appended has no meaning.
bool decode_huffman(Bytes bytes, Text& text);

}  // namespace wirelap::h2
