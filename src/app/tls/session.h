// tls: what is known about the handshake of one connection.
//
// In: the fields of the hellos, and the times and gaps that the analyzer records.
// Out: the version and names for exchanges, and whether the handshake is over.
#pragma once

#include <cstdint>
#include <string>

#include "app/tls/hello.h"
#include "base/memory.h"
#include "base/time.h"
#include "flow/direction.h"
#include "timing/causes.h"

namespace wirelap::tls {

struct Session {
  explicit Session(std::pmr::memory_resource* memory) : host(memory), alpn(memory) {}

  Text host;                          ///< server_name (SNI); empty: none
  Text alpn;                          ///< the application protocol (RFC 7301); empty: none
  std::uint16_t version = 0;          ///< ProtocolVersion; 0: not known
  std::uint16_t cipher_suite = 0;     ///< 0: not known
  bool early_data = false;            ///< data of the client may follow its hello
  bool resumed = false;               ///< by a pre-shared key
  bool end_unknown = false;           ///< the end of the handshake was not captured
  bool finished[2] = {false, false};  ///< by Direction: the sender has sent all of its handshake
  bool has_gap[2] = {false, false};   ///< by Direction: records of the handshake were not captured
  Nanos first = kUnknownTime;         ///< when the first byte of the handshake arrived
  Nanos latest = kUnknownTime;        ///< when its latest byte arrived
  Nanos last = kUnknownTime;          ///< when its last byte arrived, once it is over
  Nanos max_gap = 0;                  ///< longest time between two of its packets
  CauseTimes causes_before = {};      ///< the connection's at `first`
  CauseTimes causes_latest = {};      ///< the connection's at `latest`

  bool is_tls13() const { return version >= kTls13; }  // or a draft of it
  bool is_tls12() const { return version != 0 && !is_tls13(); }
  bool is_established() const { return finished[0] && finished[1]; }
  bool has_finished(Direction direction) const { return finished[index(direction)]; }

  /// Ends the handshake: it is over, or the rest of it was not captured.
  void end_handshake() {
    finished[0] = finished[1] = true;
    if (!end_unknown) last = latest;
  }
};

}  // namespace wirelap::tls
