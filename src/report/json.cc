#include "report/json.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "report/cursor.h"
#include "report/escape.h"

namespace wirelap {
namespace {

/// More than all that a row has but for its texts, headers and steps: there is as much room wherever one of these ends.
constexpr std::size_t kRowRoom = 8192;

// Apart, so that a row's code is small: it is many columns long.

[[gnu::noinline]] char* put_integer(char* at, std::uint64_t value) { return write_integer(at, value); }

[[gnu::noinline]] char* put_seconds(char* at, Nanos value, int decimals) {
  if (value != kUnknownTime) return write_seconds(at, value, decimals);
  std::memcpy(at, "null", 4);
  return at + 4;
}

[[gnu::noinline]] char* put_word(char* at, std::string_view value) {
  *at = '"';
  std::memcpy(at + 1, value.data(), value.size());
  at += value.size() + 1;
  *at = '"';
  return at + 1;
}

/// Makes the room that the value and what follows it need.
[[gnu::noinline]] char* put_text(Output& output, char* at, std::string_view value) {
  output.end_at(at);
  at = output.room(escaped_room(value.size()) + 2 + kRowRoom);
  *at = '"';
  at = write_json_text(at + 1, value);
  *at = '"';
  return at + 1;
}

[[gnu::noinline]] char* put_address(char* at, const Address& value, int ip_version) {
  *at = '"';
  at = write_address(at + 1, value, ip_version);
  *at = '"';
  return at + 1;
}

/// A column's name as it stands before its value, filled up to whole units of sixteen bytes, which are stored at once.
template <class Name>
constexpr auto kMember = [] {
  std::array<char, (Name::text.size() + 4 + 15) / 16 * 16> text{};
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
      : output_(output), start_(output.text().size()), at_(output.room(kRowRoom)), decimals_(decimals) {}
  WIRELAP_INLINE void finish() {
    output_.end_at(write(at_, "}"));
    output_.replace(start_, '{');  // the first column's comma
  }

  template <class Name>
  WIRELAP_INLINE void text(const Name& name, std::string_view value, bool known = true) {
    begin(name);
    at_ = known ? put_text(output_, at_, value) : write(at_, "null");
  }
  template <class Name>
  WIRELAP_INLINE void word(const Name& name, std::string_view value, bool known = true) {
    begin(name);
    at_ = known ? put_word(at_, value) : write(at_, "null");
  }
  template <class Name>
  WIRELAP_INLINE void integer(const Name& name, std::uint64_t value, bool known = true) {
    begin(name);
    at_ = known ? put_integer(at_, value) : write(at_, "null");
  }
  template <class Name>
  WIRELAP_INLINE void flag(const Name& name, bool value, bool known) {
    begin(name);
    at_ = write(at_, !known ? "null" : value ? "true" : "false");
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
  /// One tag as a number; two, outermost first, as "100.200".
  template <class Name>
  WIRELAP_INLINE void vlan(const Name& name, std::uint32_t tag) {
    begin(name);
    const std::uint32_t count = tag >> 24 & 3;
    const std::string_view quote = count == 2 ? "\"" : "";
    at_ = count == 0 ? write(at_, "null") : write(write_vlan(write(at_, quote), tag), quote);
  }
  /// Each as [seconds since the one before, bytes so far].
  template <class Name>
  WIRELAP_INLINE void steps(const Name& name, const http::Steps& all) {
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
  WIRELAP_INLINE static char* write(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }
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
  std::size_t start_;  // of the row, in the output's text
  char* at_;           // where it goes on
  int decimals_;
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
