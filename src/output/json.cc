#include "output/json.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "output/cursor.h"
#include "output/escape.h"

namespace wirelap {
namespace {

/// A text up to this length needs no more room than there is for any column.
constexpr std::size_t kShortText = 64;

/// More than all that a row has but for longer texts, headers and steps. There is as much wherever one of those ends.
constexpr std::size_t kRowRoom = 8192;

constexpr std::string_view kNull = "null";

WIRELAP_INLINE char* write(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// Apart, so that a row's code is small: it is many columns long. What is rare is called last, so that nothing is
// saved for it.

[[gnu::noinline]] char* put_integer(char* at, std::uint64_t value) { return write_integer(at, value); }

[[gnu::noinline]] char* put_seconds(char* at, Nanos value, std::size_t decimals) {
  if (is_below_second(value)) return write_below_second(at, value, decimals);
  return value == kUnknownTime ? write(at, kNull) : write_long_seconds(at, value, decimals);
}

/// Makes the room that the value and what follows it need.
[[gnu::noinline]] char* put_long_text(char* at, std::string_view value, Output& output) {
  output.end_at(at);
  return write_json_string(output.room(escaped_room(value.size()) + kRowRoom), value);
}

WIRELAP_INLINE char* write_text(char* at, std::string_view value, Output& output) {
  return value.size() <= kShortText ? write_json_string(at, value) : put_long_text(at, value, output);
}

[[gnu::noinline]] char* put_text(char* at, std::string_view value, Output& output) {
  return write_text(at, value, output);
}

[[gnu::noinline]] char* put_text_if_any(char* at, std::string_view value, Output& output) {
  return value.empty() ? write(at, kNull) : write_text(at, value, output);
}

[[gnu::noinline]] char* put_address(char* at, const Address& value, int ip_version) {
  *at = '"';
  at = write_address(at + 1, value, ip_version);
  *at = '"';
  return at + 1;
}

/// One tag as a number; two, outermost first, as "100.200".
[[gnu::noinline]] char* put_vlan(char* at, std::uint32_t tag) {
  const std::uint32_t count = tag >> 24 & 3;
  if (count == 0) return write(at, kNull);
  const std::string_view quote = count == 2 ? "\"" : "";
  return write(write_vlan(write(at, quote), tag), quote);
}

/// A column's name as it stands before its value, filled up to eight bytes or sixteens of them, which are stored at
/// once.
template <class Name>
constexpr auto kMember = [] {
  constexpr std::size_t kSize = Name::text.size() + 4;
  std::array<char, kSize <= 8 ? 8 : (kSize + 15) / 16 * 16> text{};
  text[0] = ',';
  text[1] = '"';
  std::copy(Name::text.begin(), Name::text.end(), &text[2]);
  text[Name::text.size() + 2] = '"';
  text[Name::text.size() + 3] = ':';
  return text;
}();

/// Writes columns as the members of one JSON object.
class JsonColumns {
 public:
  JsonColumns(Output& output, int decimals)
      : output_(output), at_(output.room(kRowRoom)), decimals_(static_cast<std::size_t>(decimals)) {}
  WIRELAP_INLINE void finish() { output_.end_at(write(at_, "}")); }

  WIRELAP_INLINE void type(std::string_view type) { at_ = write(write(write(at_, R"({"type":")"), type), "\""); }
  template <class Name>
  WIRELAP_INLINE void text(const Name& name, std::string_view value) {
    begin(name);
    at_ = put_text(at_, value, output_);
  }
  template <class Name>
  WIRELAP_INLINE void text_if_any(const Name& name, std::string_view value) {
    begin(name);
    at_ = put_text_if_any(at_, value, output_);
  }
  template <class Name>
  WIRELAP_INLINE void integer(const Name& name, std::uint64_t value) {
    begin(name);
    at_ = put_integer(at_, value);
  }
  template <class Name>
  WIRELAP_INLINE void integer(const Name& name, std::uint64_t value, bool known) {
    begin(name);
    at_ = known ? put_integer(at_, value) : write(at_, kNull);
  }
  template <class Name>
  WIRELAP_INLINE void flag(const Name& name, bool value, bool known) {
    begin(name);
    at_ = write(at_, !known ? kNull : value ? "true" : "false");
  }
  template <class Name>
  WIRELAP_INLINE void seconds(const Name& name, Nanos value) {
    begin(name);
    at_ = put_seconds(at_, value, decimals_);
  }
  template <class Name>
  WIRELAP_INLINE void address(const Name& name, const Address& value, int ip_version) {
    begin(name);
    at_ = put_address(at_, value, ip_version);
  }
  template <class Name>
  WIRELAP_INLINE void vlan(const Name& name, std::uint32_t tag) {
    begin(name);
    at_ = put_vlan(at_, tag);
  }
  /// Each as [seconds since the one before, bytes so far].
  template <class Name>
  WIRELAP_INLINE void steps(const Name& name, const Steps& all) {
    begin(name);
    at_ = write(at_, "[");
    for (std::size_t i = 0; i < all.size(); ++i) {
      renew(kValueRoom);
      at_ = write(at_, i == 0 ? "[" : ",[");
      at_ = write_seconds(at_, i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      at_ = write(write_integer(write(at_, ","), all[i].reached), "]");
    }
    at_ = write(at_, "]");
  }

 private:
  /// Makes room for `count` bytes and the rest of the row.
  WIRELAP_INLINE void renew(std::size_t count) {
    output_.end_at(at_);
    at_ = output_.room(count + kRowRoom);
  }
  /// Ends the column before, and begins one.
  template <NameText kText>
  WIRELAP_INLINE void begin(ColumnName<kText>) {
    constexpr auto& kBytes = kMember<ColumnName<kText>>;
    std::memcpy(at_, kBytes.data(), kBytes.size());
    at_ += ColumnName<kText>::text.size() + 4;
  }
  /// The same with a name that is known only now.
  void begin(std::string_view name) {
    renew(name.size());
    at_ = write(write(write(at_, ",\""), name), "\":");
  }

  Output& output_;
  char* at_;  // where it goes on
  std::size_t decimals_;
};

void put_object(Output& output, const Row& row) {
  JsonColumns columns(output, row.decimals);
  visit_columns(row, columns);
  columns.finish();
}

void put_object(Output& output, const ConnectionRow& row) {
  JsonColumns columns(output, row.decimals);
  ByCall calls(columns);
  visit_columns(row, calls);
  columns.finish();
}

}  // namespace

void NdjsonSink::write(const Row& row) {
  put_object(output_, row);
  output_.end_line();
}

void NdjsonSink::write_connection(const ConnectionRow& row) {
  put_object(output_, row);
  output_.end_line();
}

template <class AnyRow>
void JsonSink::put_element(const AnyRow& row) {
  output_.put(empty_ ? '[' : ',');
  output_.end_line();
  empty_ = false;
  put_object(output_, row);
}

void JsonSink::write(const Row& row) { put_element(row); }
void JsonSink::write_connection(const ConnectionRow& row) { put_element(row); }

void JsonSink::finish() {
  output_.put(empty_ ? "[]" : "\n]");
  output_.end_line();
}

}  // namespace wirelap
