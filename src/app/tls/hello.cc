#include "app/tls/hello.h"

#include <algorithm>
#include <utility>

namespace wirelap::tls {
namespace {

/// Reads from the front of a message. After a read past the end all further reads return nothing or 0.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : left_(bytes) {}

  Bytes read(std::size_t count) {
    if (count > left_.size()) {
      failed_ = true;
      left_ = {};
      return {};
    }
    const Bytes bytes = left_.first(count);
    left_ = left_.subspan(count);
    return bytes;
  }
  std::uint8_t read8() {
    const Bytes bytes = read(1);
    return bytes.empty() ? std::uint8_t{0} : bytes[0];
  }
  std::uint16_t read16() {
    const Bytes bytes = read(2);
    return bytes.empty() ? std::uint16_t{0} : load_be16(bytes.data());
  }
  /// Both read a vector, whose length is before it in 8 or 16 bits (RFC 8446, section 3.4).
  Bytes read_vector8() { return read(read8()); }
  Bytes read_vector16() { return read(read16()); }

  bool empty() const { return left_.empty(); }
  bool failed() const { return failed_; }

 private:
  Bytes left_;
  bool failed_ = false;
};

/// ExtensionType (RFC 8446, section 4.2).
enum : std::uint16_t {
  kServerName = 0,
  kApplicationLayerProtocolNegotiation = 16,
  kPreSharedKey = 41,
  kEarlyData = 42,
  kSupportedVersions = 43,
};

constexpr std::size_t kRandomBytes = 32;

/// The random of a HelloRetryRequest: the SHA-256 of "HelloRetryRequest" (RFC 8446, section 4.1.3).
constexpr std::uint8_t kRetryRandom[kRandomBytes] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/// The host_name of a ServerNameList (RFC 6066, section 3).
std::string_view host_name(Bytes extension) {
  Cursor names(Cursor(extension).read_vector16());
  while (!names.empty()) {
    const std::uint8_t name_type = names.read8();
    const Bytes name = names.read_vector16();
    if (name_type == 0) return as_text(name);
  }
  return {};
}

/// The first name of a ProtocolNameList (RFC 7301, section 3.1).
std::string_view first_protocol(Bytes extension) {
  Cursor names(Cursor(extension).read_vector16());
  return as_text(names.read_vector8());
}

/// Calls `process(extension_type, extension_data)` for each complete extension. Returns false where one is cut off.
template <class Process>
bool for_each_extension(Cursor& message, Process process) {
  if (message.empty()) return !message.failed();  // a TLS 1.2 hello may have no list of extensions
  Cursor extensions(message.read_vector16());
  while (!extensions.empty()) {
    const std::uint16_t extension_type = extensions.read16();
    const Bytes extension_data = extensions.read_vector16();
    if (!extensions.failed()) process(extension_type, extension_data);
  }
  return !message.failed() && !extensions.failed();
}

}  // namespace

std::optional<ClientHello> decode_client_hello(Bytes body) {
  Cursor message(body);
  message.read(2 + kRandomBytes);  // legacy_version, random
  message.read_vector8();          // legacy_session_id
  message.read_vector16();         // cipher_suites
  message.read_vector8();          // legacy_compression_methods
  ClientHello hello;
  const bool complete = for_each_extension(message, [&hello](std::uint16_t type, Bytes data) {
    switch (type) {
      case kServerName: hello.server_name = host_name(data); break;
      case kApplicationLayerProtocolNegotiation: hello.alpn = first_protocol(data); break;
      case kEarlyData: hello.early_data = true; break;
      default: break;
    }
  });
  if (!complete) return std::nullopt;
  return hello;
}

std::optional<ServerHello> decode_server_hello(Bytes body) {
  Cursor message(body);
  ServerHello hello;
  hello.version = message.read16();
  const Bytes random = message.read(kRandomBytes);
  hello.is_retry_request = std::equal(random.begin(), random.end(), std::begin(kRetryRandom), std::end(kRetryRandom));
  message.read_vector8();  // legacy_session_id_echo
  hello.cipher_suite = message.read16();
  message.read8();  // legacy_compression_method
  const bool complete = for_each_extension(message, [&hello](std::uint16_t type, Bytes data) {
    switch (type) {
      case kSupportedVersions:
        if (data.size() == 2) hello.version = load_be16(data.data());
        break;
      case kApplicationLayerProtocolNegotiation: hello.alpn = first_protocol(data); break;
      case kPreSharedKey: hello.resumed = true; break;
      default: break;
    }
  });
  if (!complete) return std::nullopt;
  return hello;
}

}  // namespace wirelap::tls
