#include "app/tls/hello.h"

#include <algorithm>
#include <utility>

namespace wirelap::tls {
namespace {

/// Takes bytes off the front; once something did not fit all that follows is empty.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : left_(bytes) {}

  Bytes take(std::size_t count) {
    if (count > left_.size()) {
      failed_ = true;
      left_ = {};
      return {};
    }
    const Bytes taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  std::uint8_t take8() {
    const Bytes taken = take(1);
    return taken.empty() ? std::uint8_t{0} : taken[0];
  }
  std::uint16_t take16() {
    const Bytes taken = take(2);
    return taken.empty() ? std::uint16_t{0} : load_be16(taken.data());
  }
  /// A vector behind its length of one byte or two (RFC 8446, section 3.4).
  Bytes take_vector8() { return take(take8()); }
  Bytes take_vector16() { return take(take16()); }

  bool empty() const { return left_.empty(); }
  bool failed() const { return failed_; }

 private:
  Bytes left_;
  bool failed_ = false;
};

/// ExtensionType (RFC 8446, section 4.2).
enum : std::uint16_t {
  kServerName = 0,
  kProtocolNegotiation = 16,
  kPreSharedKey = 41,
  kEarlyData = 42,
  kSupportedVersions = 43,
};

constexpr std::size_t kRandomBytes = 32;

/// The Random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446, section 4.1.3).
constexpr std::uint8_t kRetryRandom[kRandomBytes] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/// The host_name of a ServerNameList (RFC 6066, section 3).
std::string_view host_name(Bytes extension) {
  Cursor names(Cursor(extension).take_vector16());
  while (!names.empty()) {
    const std::uint8_t type = names.take8();
    const Bytes name = names.take_vector16();
    if (type == 0) return as_text(name);
  }
  return {};
}

/// The first of a ProtocolNameList (RFC 7301, section 3.1).
std::string_view first_protocol(Bytes extension) {
  Cursor names(Cursor(extension).take_vector16());
  return as_text(names.take_vector8());
}

/// Calls `take(type, content)` for each extension that is whole. False where one is not.
template <class Take>
bool for_each_extension(Cursor& message, Take take) {
  if (message.empty()) return !message.failed();  // TLS 1.2 may have none
  Cursor extensions(message.take_vector16());
  while (!extensions.empty()) {
    const std::uint16_t type = extensions.take16();
    const Bytes content = extensions.take_vector16();
    if (!extensions.failed()) take(type, content);
  }
  return !message.failed() && !extensions.failed();
}

}  // namespace

std::optional<ClientHello> decode_client_hello(Bytes body) {
  Cursor message(body);
  message.take(2 + kRandomBytes);  // legacy_version, random
  message.take_vector8();          // legacy_session_id
  message.take_vector16();         // cipher_suites
  message.take_vector8();          // legacy_compression_methods
  ClientHello hello;
  const bool whole = for_each_extension(message, [&hello](std::uint16_t type, Bytes content) {
    switch (type) {
      case kServerName: hello.server_name = host_name(content); break;
      case kProtocolNegotiation: hello.protocol = first_protocol(content); break;
      case kEarlyData: hello.early_data = true; break;
      default: break;
    }
  });
  if (!whole) return std::nullopt;
  return hello;
}

std::optional<ServerHello> decode_server_hello(Bytes body) {
  Cursor message(body);
  ServerHello hello;
  hello.version = message.take16();
  const Bytes random = message.take(kRandomBytes);
  hello.retry = std::equal(random.begin(), random.end(), std::begin(kRetryRandom), std::end(kRetryRandom));
  message.take_vector8();  // legacy_session_id_echo
  hello.cipher_suite = message.take16();
  message.take8();  // legacy_compression_method
  const bool whole = for_each_extension(message, [&hello](std::uint16_t type, Bytes content) {
    switch (type) {
      case kSupportedVersions:
        if (content.size() == 2) hello.version = load_be16(content.data());
        break;
      case kProtocolNegotiation: hello.protocol = first_protocol(content); break;
      case kPreSharedKey: hello.resumed = true; break;
      default: break;
    }
  });
  if (!whole) return std::nullopt;
  return hello;
}

}  // namespace wirelap::tls
