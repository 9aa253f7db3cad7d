// output: the position in an Output while a record is written to it.
//
// In: values, each written into room that was asked for. Out: text of the Output. Until then the position is kept
// here, where the compiler can hold it in a register.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/output.h"
#include "record/schema.h"

namespace wirelap {

/// The end of an output's text while a record is written there. What was written becomes text with `finish`.
class Cursor {
 public:
  /// The most that most columns need, with their names: asking for so much is cheap.
  static constexpr std::size_t kUsualRoom = 128;

  explicit Cursor(Output& output) : output_(output) { renew(output.room(0), 0); }

  /// Room for `count` bytes at the position.
  WIRELAP_INLINE char* room(std::size_t count) {
    if (at_ > usual_limit_ || (count > kUsualRoom && count > static_cast<std::size_t>(usual_limit_ - at_)))
      renew(at_, count);
    return at_;
  }
  /// The position is now `end`, which is inside the room asked for.
  WIRELAP_INLINE void move_to(char* end) { at_ = end; }

  /// Overwrites the last character with `text`, which ends the record.
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
  /// Makes room for `count` bytes at `end`, which is the end of the text now.
  WIRELAP_INLINE void renew(char* end, std::size_t count) {
    output_.end_at(end);
    at_ = output_.room(count + kUsualRoom);
    usual_limit_ = output_.limit() - kUsualRoom;
  }

  Output& output_;
  char* at_;
  const char* usual_limit_;  // up to here there is kUsualRoom
};

}  // namespace wirelap
