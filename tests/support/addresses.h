// tests: the addresses of packets that nobody sent.
#pragma once

#include "wire/ip.h"

namespace wirelap::test {

/// Writes `source` and `destination` as a packet of `ip.version` has them.
inline void put_addresses(IpHeader& ip, const Address& source, const Address& destination) {
  std::uint8_t* at = ip.addresses;
  const auto put = [&at](std::uint64_t value, int bytes) {
    while (bytes-- > 0) *at++ = static_cast<std::uint8_t>(value >> bytes * 8);
  };
  for (const Address& address : {source, destination}) {
    if (ip.version == 6) put(address.high, 8);
    put(address.low, ip.version == 6 ? 8 : 4);
  }
}

}  // namespace wirelap::test
