// h2: frame headers, and where one begins in bytes that are not understood.
//
// In: a stream's bytes after a hole, or from its middle. Out: a frame boundary
// that is proved. The proof: frames fill a piece of the stream from its first
// byte to its last; or a piece begins with two frame headers in a row; or three
// stand in a row anywhere. Each header must be one that its sender may send.
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

/// RFC 9113, section 6, by the types that have them; kSettled is ACK.
enum FrameFlag : std::uint8_t { kEndStream = 1, kSettled = 1, kEndHeaders = 4, kPadded = 8, kPriority = 0x20 };

inline constexpr std::size_t kFrameHeaderBytes = 9;
/// The least value of SETTINGS_MAX_FRAME_SIZE, and its initial one (section 6.5.2).
inline constexpr std::uint32_t kMinMaxFrameSize = 1 << 14;
/// Its greatest value.
inline constexpr std::uint32_t kMaxMaxFrameSize = (1 << 24) - 1;
inline constexpr std::uint32_t kMaxStream = 0x7fffffff;
/// What a client begins with (section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9113, section 4.1.
struct FrameHeader {
  std::uint32_t length = 0;  ///< of the payload
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;  ///< without the reserved bit
  bool reserved = false;

  bool is(FrameType a) const { return type == static_cast<std::uint8_t>(a); }
  bool has(FrameFlag flag) const { return (flags & flag) != 0; }
  bool is_padded() const {
    return has(kPadded) && (is(FrameType::data) || is(FrameType::headers) || is(FrameType::push_promise));
  }
  bool carries_fields() const {
    return is(FrameType::headers) || is(FrameType::push_promise) || is(FrameType::continuation);
  }
  bool ends_stream() const { return has(kEndStream) && (is(FrameType::data) || is(FrameType::headers)); }
};

/// Decodes the kFrameHeaderBytes bytes at `at`.
FrameHeader decode_frame_header(const std::uint8_t* at);

/// Whether `direction` may send a frame with this header, as its type, its length and
/// its stream say (section 6); true for types that are not known.
bool is_possible(const FrameHeader& header, Direction direction, std::uint32_t max_frame_size);

/// What a frame header must be to prove anything: possible, of a known type,
/// with no flag or bit that its type has no use for, on no stream that a server
/// pushed, and with a payload where its type is for that.
struct Plausible {
  Direction direction;
  std::uint32_t max_frame_size;
  std::uint32_t highest_stream;

  bool operator()(const FrameHeader& header) const;
};

/// Whether `bytes`, a client's, begin with its preface or the most of it.
bool begins_with_preface(Bytes bytes, Direction direction);

/// Whether frames fill `bytes` to the last one, or two begin in a row there.
bool frames_fill(Bytes bytes, const Plausible& plausible);

/// Looks for three frame headers in a row.
class BoundarySearch {
 public:
  /// Forgets all: the next bytes have offset `offset` in their stream. Chains
  /// that go on past it stay.
  void begin(std::uint64_t offset);

  /// Looks through the next bytes, which have offset `offset`. Returns how many
  /// it took: all, or up to the end of the third header, which `header` is then.
  std::size_t feed(Bytes bytes, std::uint64_t offset, const Plausible& plausible, FrameHeader& header);

  /// Whether the latest feed found what it looks for.
  bool found() const { return found_; }

 private:
  static constexpr int kProof = 3;
  static constexpr int kMaxChains = 4;  // followed at once

  struct Chain {
    std::uint64_t next = 0;  // offset of its next header
    int headers = 0;         // so far; 0: none
  };

  bool look_at(const std::uint8_t* header_bytes, std::uint64_t offset, const Plausible& plausible, FrameHeader& header);

  Chain chains_[kMaxChains];
  std::uint8_t tail_[kFrameHeaderBytes - 1] = {};  // the latest bytes, which may begin a header
  std::size_t tail_bytes_ = 0;
  bool found_ = false;
};

}  // namespace wirelap::h2
