#include "output/json.h"

#include <array>
#include <cstring>

#include "output/cursor.h"
#include "output/escape.h"

namespace wirelap {
namespace {

/// A text up to this length needs no more room than any other value.
constexpr std::size_t kShortText = 64;

/// More than a whole record needs, except for longer texts, headers and packet times. There is as much room again
/// after each of those.
constexpr std::size_t kRecordRoom = 8192;

constexpr std::string_view kNull = "null";

WIRELAP_INLINE char* write(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// These are not inlined: the code that writes a record has a call for each column. Their rare cases are tail calls, so
// that no register is saved for them.

[[gnu::noinline]] char* put_integer(char* at, std::uint64_t value) { return write_integer(at, value); }

[[gnu::noinline]] char* put_seconds(char* at, Nanos value, std::size_t decimals) {
  if (is_below_second(value)) return write_below_second(at, value, decimals);
  return value == kUnknownTime ? write(at, kNull) : write_long_seconds(at, value, decimals);
}

/// Makes room for the value and for what follows it.
[[gnu::noinline]] char* put_long_text(char* at, std::string_view value, Output& output) {
  output.end_at(at);
  return write_json_string(output.room(escaped_room(value.size()) + kRecordRoom), value);
}

WIRELAP_INLINE char* write_text(char* at, std::string_view value, Output& output) {
  return value.size() <= kShortText ? write_json_string(at, value) : put_long_text(at, value, output);
}

[[gnu::noinline]] char* put_text(char* at, std::string_view value, Output& output) {
  return write_text(at, value, output);
}

[[gnu::noinline]] char* put_text_or_null(char* at, std::string_view value, Output& output) {
  return value.empty() ? write(at, kNull) : write_text(at, value, output);
}

/// A word has no character to escape.
[[gnu::noinline]] char* put_word(char* at, Word value) {
  if (value.empty()) return write(at, kNull);
  *at = '"';
  at = write(at + 1, value);
  *at = '"';
  return at + 1;
}

[[gnu::noinline]] char* put_address(char* at, const IpAddress& value) {
  *at = '"';
  at = write_address(at + 1, value.address, value.version);
  *at = '"';
  return at + 1;
}

/// One identifier as a number, two as a text: "100.200".
[[gnu::noinline]] char* put_vlan(char* at, VlanIds ids) {
  if (ids.count() == 0) return write(at, kNull);
  const std::string_view quote = ids.count() == 2 ? "\"" : "";
  return write(write_vlan(write(at, quote), ids), quote);
}

/// A column's name with what stands around it, padded to eight bytes or a multiple of sixteen, which are stored at
/// once.
template <std::size_t kIndex>
constexpr auto kMemberName = [] {
  constexpr std::string_view kName = kColumns[kIndex].name;
  constexpr std::size_t kSize = kName.size() + 4;
  std::array<char, kSize <= 8 ? 8 : (kSize + 15) / 16 * 16> text{};
  text[0] = ',';
  text[1] = '"';
  std::copy(kName.begin(), kName.end(), &text[2]);
  text[kName.size() + 2] = '"';
  text[kName.size() + 3] = ':';
  return text;
}();

/// Writes the columns of a record as the members of one JSON object.
class JsonObject {
 public:
  JsonObject(Output& output, const Record& record)
      : output_(output), at_(output.room(kRecordRoom)), decimals_(static_cast<std::size_t>(record.decimals)) {}
  WIRELAP_INLINE void finish() { output_.end_at(write(at_, "}")); }

  template <std::size_t kIndex, class Value>
  WIRELAP_INLINE void column(const Value& value) {
    if constexpr (kIndex == 0) {
      put(value);
    } else {
      constexpr auto& kBytes = kMemberName<kIndex>;
      std::memcpy(at_, kBytes.data(), kBytes.size());
      at_ += kColumns[kIndex].name.size() + 4;
      put(value, kColumns[kIndex].null);
    }
  }

  /// Writes any column, without its code being repeated for each.
  void column(const Column& column, const Record& record) {
    if (&column != kColumns) begin(column.name);
    visit_column(column, record, [&](const auto& value) { put(value, column.null); });
  }

  void header(const HeaderColumn& header) {
    begin(header.name);
    at_ = header.known ? put_text(at_, header.value, output_) : write(at_, kNull);
  }

  /// Each as [seconds since the one before, bytes so far].
  void packet_times(const PacketTimes& times) {
    begin("interpacket_times");
    at_ = write(at_, "[");
    for (const PacketTime& time : times) {
      renew(kValueRoom);
      at_ = write(at_, &time == times.data() ? "[" : ",[");
      at_ = write_seconds(at_, time.gap, decimals_);
      at_ = write(write_integer(write(at_, ","), time.bytes), "]");
    }
    at_ = write(at_, "]");
  }

 private:
  /// Makes room for `count` bytes and the rest of the record.
  void renew(std::size_t count) {
    output_.end_at(at_);
    at_ = output_.room(count + kRecordRoom);
  }
  void begin(std::string_view name) {
    renew(name.size());
    at_ = write(write(write(at_, ",\""), name), "\":");
  }

  WIRELAP_INLINE void put(RecordType type, Null = Null::never) {
    at_ = write(write(write(at_, R"({"type":")"), name_of(type)), "\"");
  }
  WIRELAP_INLINE void put(Word value, Null) { at_ = put_word(at_, value); }
  WIRELAP_INLINE void put(const std::string& value, Null null) {
    at_ = null == Null::never ? put_text(at_, value, output_) : put_text_or_null(at_, value, output_);
  }
  WIRELAP_INLINE void put(std::uint64_t value, Null) { at_ = put_integer(at_, value); }
  WIRELAP_INLINE void put(const std::optional<std::uint64_t>& value, Null) {
    at_ = value ? put_integer(at_, *value) : write(at_, kNull);
  }
  WIRELAP_INLINE void put(std::optional<bool> value, Null) {
    at_ = write(at_, !value ? kNull : *value ? "true" : "false");
  }
  WIRELAP_INLINE void put(Nanos value, Null) { at_ = put_seconds(at_, value, decimals_); }
  WIRELAP_INLINE void put(const IpAddress& value, Null) { at_ = put_address(at_, value); }
  WIRELAP_INLINE void put(VlanIds value, Null) { at_ = put_vlan(at_, value); }
  void put(const std::optional<PacketTimes>&, Null) {}  // packet_times()

  Output& output_;
  char* at_;  // the position in the output
  std::size_t decimals_;
};

/// Most records are those of exchanges, so their code is laid out column by column.
void put_exchange(Output& output, const Record& record) {
  JsonObject object(output, record);
  visit_columns<RecordType::exchange>(record, object);
  for (const HeaderColumn& header : record.headers) object.header(header);
  if (record.interpacket_times) object.packet_times(*record.interpacket_times);
  object.finish();
}

void put_connection(Output& output, const Record& record) {
  JsonObject object(output, record);
  for (const Column& column : kColumns) {
    if (column.is_in(RecordType::connection)) object.column(column, record);
  }
  object.finish();
}

}  // namespace

void put_json(Output& output, const Record& record) {
  record.type == RecordType::exchange ? put_exchange(output, record) : put_connection(output, record);
}

void NdjsonWriter::write(const Record& record) {
  put_json(output_, record);
  output_.end_line();
}

void JsonWriter::write(const Record& record) {
  output_.put(empty_ ? '[' : ',');
  output_.end_line();
  empty_ = false;
  put_json(output_, record);
}

void JsonWriter::finish() {
  output_.put(empty_ ? "[]" : "\n]");
  output_.end_line();
}

}  // namespace wirelap
