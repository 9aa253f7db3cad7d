// tls: what the two hellos say in clear.
//
// In: the body of a ClientHello or ServerHello, whole. Out: the fields that
// wirelap needs. Ignored on purpose: everything else, certificates too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace wirelap::tls {

/// ProtocolVersion (RFC 8446, section 4.2.1); what is below is told alike.
inline constexpr std::uint16_t kTls12 = 0x0303;
inline constexpr std::uint16_t kTls13 = 0x0304;

/// HandshakeType (RFC 8446, section 4).
inline constexpr std::uint8_t kClientHello = 1;
inline constexpr std::uint8_t kServerHello = 2;
/// msg_type and length.
inline constexpr std::size_t kHandshakeHeaderBytes = 4;

/// RFC 8446, section 4.1.2. Its texts are borrowed from the message.
struct ClientHello {
  std::string_view server_name;  ///< RFC 6066, section 3; empty: none
  std::string_view protocol;     ///< RFC 7301, section 3.1: the one offered first; empty: none
  bool early_data = false;       ///< RFC 8446, section 4.2.10: data follows at once
};

/// RFC 8446, section 4.1.3.
struct ServerHello {
  std::uint16_t version = 0;  ///< the one selected (section 4.2.1)
  std::uint16_t cipher_suite = 0;
  std::string_view protocol;  ///< RFC 7301: the one selected; encrypted, hence empty, in TLS 1.3
  bool retry = false;         ///< it is a HelloRetryRequest (section 4.1.4)
  bool resumed = false;       ///< TLS 1.3: it accepts a pre-shared key (section 4.2.11)
};

/// Both take the message without its handshake header, and return nothing
/// where a length inside does not fit.
std::optional<ClientHello> decode_client_hello(Bytes body);
std::optional<ServerHello> decode_server_hello(Bytes body);

}  // namespace wirelap::tls
