// h2: whether HTTP/2 begins with the bytes of a connection.
//
// In: the next bytes of one direction. Out: whether HTTP/2 begins there, and which
// direction they are.
#pragma once

#include "app/analyzer.h"

namespace wirelap::h2 {

/// HTTP/2 begins with the client's preface (RFC 9113, section 3.4), with the server's SETTINGS where the server sends
/// first, or, in the middle of a connection, with whole frames, one of them a HEADERS that is clearly a request's or a
/// response's.
Probe probe(const Opening& opening);

}  // namespace wirelap::h2
