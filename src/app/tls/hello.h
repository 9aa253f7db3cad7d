// tls: the ClientHello and the ServerHello, which are in clear text.
//
// In: the complete body of one of them. Out: the fields that wirelap needs. All
// other fields are ignored on purpose, and so are certificates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace wirelap::tls {

/// ProtocolVersion (RFC 8446, section 4.2.1). Versions before TLS 1.2 are treated as TLS 1.2.
inline constexpr std::uint16_t kTls12 = 0x0303;
inline constexpr std::uint16_t kTls13 = 0x0304;

/// HandshakeType (RFC 8446, section 4).
inline constexpr std::uint8_t kClientHello = 1;
inline constexpr std::uint8_t kServerHello = 2;
/// msg_type and length.
inline constexpr std::size_t kHandshakeHeaderBytes = 4;

/// RFC 8446, section 4.1.2. Its texts point into the message.
struct ClientHello {
  std::string_view server_name;  ///< RFC 6066, section 3; empty: none
  std::string_view alpn;         ///< the first protocol offered (RFC 7301, section 3.1); empty: none
  bool early_data = false;       ///< RFC 8446, section 4.2.10: data follows at once
};

/// RFC 8446, section 4.1.3. Its text points into the message.
struct ServerHello {
  std::uint16_t version = 0;  ///< selected_version (section 4.2.1), or legacy_version without it
  std::uint16_t cipher_suite = 0;
  std::string_view alpn;          ///< the protocol selected (RFC 7301); empty in TLS 1.3, where it is encrypted
  bool is_retry_request = false;  ///< it is a HelloRetryRequest (section 4.1.4)
  bool resumed = false;           ///< TLS 1.3: it accepts a pre-shared key (section 4.2.11)
};

/// Both decode a message without its handshake header. They return nothing where a length in it does not fit.
std::optional<ClientHello> decode_client_hello(Bytes body);
std::optional<ServerHello> decode_server_hello(Bytes body);

}  // namespace wirelap::tls
