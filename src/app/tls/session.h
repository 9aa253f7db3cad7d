// tls: what is known of one connection's handshake.
#pragma once

#include <cstdint>
#include <string>

#include "app/tls/hello.h"
#include "app/tls/record.h"
#include "base/memory.h"
#include "flow/connection.h"
#include "timing/causes.h"

namespace wirelap::tls {

struct Session {
  explicit Session(std::pmr::memory_resource* memory) : host(memory), protocol(memory) {}

  Text host;                                          ///< the name asked for (SNI); empty: none
  Text protocol;                                      ///< the application's (RFC 7301); empty: none
  std::uint16_t version = 0;                          ///< 0: not known
  std::uint16_t cipher_suite = 0;                     ///< 0: not known
  bool early_data = false;                            ///< the client's data may follow its hello
  bool resumed = false;                               ///< by a pre-shared key
  bool holed = false;                                 ///< its end was not seen
  bool finished[2] = {false, false};                  ///< by Direction: all of that end's handshake was sent
  bool lost[2] = {false, false};                      ///< by Direction: records of it were lost
  Nanos first = kUnknownTime;                         ///< its first byte
  Nanos latest = kUnknownTime;                        ///< its latest byte
  Nanos last = kUnknownTime;                          ///< its last byte, when it is over
  Nanos max_gap = 0;                                  ///< between two of its packets
  CauseTimes causes_before = {}, causes_latest = {};  ///< the connection's at `first` and `latest`

  bool is_tls13() const { return version >= kTls13; }  // or a draft of it
  bool is_tls12() const { return version != 0 && !is_tls13(); }
  bool is_established() const { return finished[0] && finished[1]; }
  bool has_finished(Direction direction) const { return finished[static_cast<int>(direction)]; }

  /// The handshake is over, or what is left of it will not be seen.
  void end() {
    finished[0] = finished[1] = true;
    if (!holed) last = latest;
  }
};

}  // namespace wirelap::tls
