// h2: whether HTTP/2 begins with the bytes of a connection.
//
// In: the next bytes of one direction. Out: whether HTTP/2 begins there, and the
// direction of the bytes.
#pragma once

#include "app/analyzer.h"

namespace wirelap::h2 {

/// Finds HTTP/2 in one of three forms: the client's preface (RFC 9113, section 3.4); the server's SETTINGS, where the
/// server sends first; or, in the middle of a connection, whole frames that include a HEADERS frame whose first field
/// is only in requests or only in responses.
Probe probe(const Opening& opening);

}  // namespace wirelap::h2
