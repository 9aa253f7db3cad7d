// h2: whether HTTP/2 begins in the bytes of a connection.
//
// In: the next bytes of one direction. Out: yes or no, and who is the client.
#pragma once

#include "base/bytes.h"
#include "flow/connection.h"

namespace wirelap::h2 {

/// Whether HTTP/2 may begin with `bytes`, which are the next of the stream
/// that `sender` sends on a connection without a conversation: the client's
/// preface, the server's SETTINGS where it sends them first, or, from the
/// middle of a connection, whole frames and among them a HEADERS that tells a
/// request or a response. Settles who is the client where the opening did not.
bool may_begin(Connection& connection, Side sender, Bytes bytes);

}  // namespace wirelap::h2
