// report: where a row is being written.
//
// In: values, each into room that was asked for. Out: text of an Output. In
// between the place is kept here, where the compiler can hold it in registers.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/output.h"
#include "record/row.h"

namespace wirelap {

/// The end of an output's text while a row is written there; all of it is text after `finish`.
class Cursor {
 public:
  /// What most columns need at most, with their names: asking for it is cheap.
  static constexpr std::size_t kUsualRoom = 128;

  explicit Cursor(Output& output) : output_(output) { renew(output.room(0), 0); }

  /// Room for `count` bytes at the place.
  WIRELAP_INLINE char* room(std::size_t count) {
    if (at_ > usual_limit_ || (count > kUsualRoom && count > static_cast<std::size_t>(usual_limit_ - at_)))
      renew(at_, count);
    return at_;
  }
  /// The place is now `end`, which is inside the room asked for.
  WIRELAP_INLINE void move_to(char* end) { at_ = end; }

  /// Puts `text` over the last character.
  WIRELAP_INLINE void finish(std::string_view text) {
    --at_;
    output_.end_at(write(room(text.size()), text));
  }

  /// Writes `text` at `at`, where there is room. Returns where it ends.
  WIRELAP_INLINE static char* write(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }

 private:
  /// Makes room at `end`, the end of the text.
  WIRELAP_INLINE void renew(char* end, std::size_t count) {
    output_.end_at(end);
    at_ = output_.room(count + kUsualRoom);
    usual_limit_ = output_.limit() - kUsualRoom;
  }

  Output& output_;
  char* at_;
  const char* usual_limit_;  // to here there is kUsualRoom
};

/// Hands columns on by calls: inlined they are quick, so they are small. For
/// rows of connections, which are fewer.
template <class Visitor>
class ByCall {
 public:
  explicit ByCall(Visitor& visitor) : to_(visitor) {}
  [[gnu::noinline]] void type(std::string_view value) { to_.type(value); }
  [[gnu::noinline]] void text(std::string_view name, std::string_view value) { to_.text(name, value); }
  [[gnu::noinline]] void text_if_any(std::string_view name, std::string_view value) { to_.text_if_any(name, value); }
  [[gnu::noinline]] void integer(std::string_view name, std::uint64_t value, bool known = true) {
    to_.integer(name, value, known);
  }
  [[gnu::noinline]] void flag(std::string_view name, bool value, bool known) { to_.flag(name, value, known); }
  [[gnu::noinline]] void seconds(std::string_view name, Nanos value) { to_.seconds(name, value); }
  [[gnu::noinline]] void address(std::string_view name, const Address& value, int ip_version) {
    to_.address(name, value, ip_version);
  }
  [[gnu::noinline]] void vlan(std::string_view name, std::uint32_t tag) { to_.vlan(name, tag); }

 private:
  Visitor& to_;
};

}  // namespace wirelap
