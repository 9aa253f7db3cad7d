// h2: the Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
//
// In: the bytes of one complete encoded string. Out: the string.
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

namespace wirelap::h2 {

/// Appends the decoded string to `text`. Returns false where the string is malformed: it contains EOS, or its padding
/// has 8 bits or more, or bits that differ from the first bits of EOS. What was appended then has no meaning.
bool decode_huffman(Bytes bytes, Text& text);

}  // namespace wirelap::h2
