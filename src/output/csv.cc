#include "output/csv.h"

#include <algorithm>
#include <utility>

#include "output/cursor.h"
#include "output/escape.h"

namespace wirelap {
namespace {

/// How many columns only connections have.
constexpr std::size_t kConnectionColumns = static_cast<std::size_t>(std::count_if(
    std::begin(kColumns), std::end(kColumns), [](const Column& column) { return column.in == In::connections; }));

/// Writes columns as the fields of one line; null is an empty field.
class CsvLine {
 public:
  CsvLine(Output& output, const Record& record)
      : cursor_(output), decimals_(static_cast<std::size_t>(record.decimals)) {}
  WIRELAP_INLINE void finish() { cursor_.finish("\r"); }

  template <std::size_t kIndex, class Value>
  WIRELAP_INLINE void column(const Value& value) {
    put(value);
  }
  /// Writes any column, without its code being repeated for each.
  void column(const Column& column, const Record& record) {
    visit_column(column, record, [&](const auto& value) { put(value); });
  }
  void header(const HeaderColumn& header) { put(std::string_view(header.value)); }
  void skip(std::size_t count) {
    while (count-- > 0) end(cursor_.room(1));
  }

  /// Each as seconds:bytes, with a space between two.
  void packet_times(const PacketTimes& times) {
    for (const PacketTime& time : times) {
      char* at = Cursor::write(cursor_.room(kValueRoom), &time == times.data() ? "" : " ");
      at = Cursor::write(write_seconds(at, time.gap, decimals_), ":");
      cursor_.move_to(write_integer(at, time.bytes));
    }
    end(cursor_.room(1));
  }

 private:
  WIRELAP_INLINE char* room(std::size_t more = 0) { return cursor_.room(kValueRoom + more); }
  WIRELAP_INLINE void end(char* at) { cursor_.move_to(Cursor::write(at, ",")); }

  WIRELAP_INLINE void put(RecordType type) { put(name_of(type)); }
  WIRELAP_INLINE void put(std::string_view value) { end(write_csv_text(room(escaped_room(value.size())), value)); }
  WIRELAP_INLINE void put(std::uint64_t value) { end(write_integer(room(), value)); }
  WIRELAP_INLINE void put(const std::optional<std::uint64_t>& value) {
    char* const at = room();
    end(value ? write_integer(at, *value) : at);
  }
  WIRELAP_INLINE void put(std::optional<bool> value) {
    end(Cursor::write(room(), !value ? "" : *value ? "true" : "false"));
  }
  WIRELAP_INLINE void put(Nanos value) {
    char* const at = room();
    end(value == kUnknownTime ? at : write_seconds(at, value, decimals_));
  }
  WIRELAP_INLINE void put(const IpAddress& value) { end(write_address(room(), value.address, value.version)); }
  WIRELAP_INLINE void put(VlanIds value) { end(write_vlan(room(), value)); }
  void put(const std::optional<PacketTimes>&) {}  // packet_times()

  Cursor cursor_;
  std::size_t decimals_;
};

}  // namespace

void CsvWriter::write(const Record& record) {
  put_header();
  CsvLine line(output_, record);
  if (record.type == RecordType::exchange) {
    visit_columns<RecordType::exchange>(record, line);
    for (const HeaderColumn& header : record.headers) line.header(header);
    if (record.interpacket_times) line.packet_times(*record.interpacket_times);
    if (wanted_.connections) line.skip(kConnectionColumns);
  } else {
    const std::size_t headers = wanted_.headers.size() + (wanted_.steps ? 1 : 0);
    for (const Column& column : kColumns) {
      if (column.in == In::exchanges_with_packets)
        line.skip(headers);
      else if (column.in == In::exchanges)
        line.skip(1);
      else
        line.column(column, record);
    }
  }
  line.finish();
  output_.end_line();
}

void CsvWriter::finish() { put_header(); }

void CsvWriter::put_header() {
  if (has_header_) return;
  has_header_ = true;
  const char* separator = "";
  const auto put_name = [&](std::string_view name) {
    output_.put(std::exchange(separator, ","));
    output_.put(name);
  };
  for (const Column& column : kColumns) {
    if (column.in == In::exchanges_with_packets) {
      for (const std::string& name : header_columns(wanted_)) put_name(name);
      if (wanted_.steps) put_name(column.name);
    } else if (column.in != In::connections || wanted_.connections) {
      put_name(column.name);
    }
  }
  output_.put('\r');
  output_.end_line();
}

}  // namespace wirelap
