// h2: the header of a frame (RFC 9113, section 4.1) and the client's preface.
//
// In: the bytes of one frame header. Out: its fields, and whether its sender may
// send a frame with these fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "flow/direction.h"

namespace wirelap::h2 {

/// RFC 9113, section 6.
enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};

/// RFC 9113, section 6. Which of them a frame may have depends on its type. kAckFlag: SETTINGS and PING.
enum FrameFlag : std::uint8_t { kEndStream = 1, kAckFlag = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20 };

inline constexpr std::size_t kFrameHeaderBytes = 9;
/// The smallest value of SETTINGS_MAX_FRAME_SIZE, which is the initial one, too (section 6.5.2).
inline constexpr std::uint32_t kMinMaxFrameSize = 1 << 14;
/// The largest value of SETTINGS_MAX_FRAME_SIZE.
inline constexpr std::uint32_t kMaxMaxFrameSize = (1 << 24) - 1;
/// The largest stream identifier, and the mask that removes the reserved bit (section 4.1).
inline constexpr std::uint32_t kMaxStreamIdentifier = 0x7fffffff;
/// The first bytes that a client sends (section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9113, section 4.1.
struct FrameHeader {
  std::uint32_t length = 0;  ///< of the payload, in bytes
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream_identifier = 0;
  bool reserved = false;  ///< the reserved bit is set

  bool is(FrameType a) const { return type == static_cast<std::uint8_t>(a); }
  bool has(FrameFlag flag) const { return (flags & flag) != 0; }
  bool is_padded() const {
    return has(kPadded) && (is(FrameType::data) || is(FrameType::headers) || is(FrameType::push_promise));
  }
  /// Whether the frame carries a fragment of a field block (section 4.3).
  bool carries_fields() const {
    return is(FrameType::headers) || is(FrameType::push_promise) || is(FrameType::continuation);
  }
  bool ends_stream() const { return has(kEndStream) && (is(FrameType::data) || is(FrameType::headers)); }
};

/// Decodes the kFrameHeaderBytes bytes at `at`.
FrameHeader decode_frame_header(const std::uint8_t* at);

/// Whether the sender of `direction` may send a frame with this type, length and stream identifier (section 6). True
/// for unknown types.
bool is_possible(const FrameHeader& header, Direction direction, std::uint32_t max_frame_size);

/// Whether `bytes` of `direction` are the client's preface or begin with it. The request line of the preface is enough
/// where `bytes` end inside the preface.
bool begins_with_preface(Bytes bytes, Direction direction);

}  // namespace wirelap::h2
