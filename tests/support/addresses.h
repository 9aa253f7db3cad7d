// Writes addresses into IP headers that tests build without packet bytes.
#pragma once

#include "wire/ip.h"

namespace wirelap::test {

/// Sets the addresses of `ip`, in the layout for its version.
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
