#include "report/json.h"

#include <algorithm>

#include "report/cursor.h"
#include "report/escape.h"

namespace wirelap {
namespace {

/// Writes columns as the members of one JSON object.
class JsonColumns {
 public:
  JsonColumns(Output& output, int decimals) : cursor_(output), decimals_(decimals) {
    cursor_.move_to(write(cursor_.room(1), "{"));
  }
  WIRELAP_INLINE void finish() { cursor_.finish("}"); }

  WIRELAP_INLINE void text(std::string_view name, std::string_view value, bool known = true) {
    char* const at = begin(name, escaped_room(value.size()));
    end(known ? write(write_json_text(write(at, "\""), value), "\"") : write(at, "null"));
  }
  WIRELAP_INLINE void word(std::string_view name, std::string_view value, bool known = true) {
    char* const at = begin(name);
    end(known ? write(write(write(at, "\""), value), "\"") : write(at, "null"));
  }
  WIRELAP_INLINE void integer(std::string_view name, std::uint64_t value, bool known = true) {
    char* const at = begin(name);
    end(known ? write_integer(at, value) : write(at, "null"));
  }
  WIRELAP_INLINE void flag(std::string_view name, bool value, bool known) {
    end(write(begin(name), !known ? "null" : value ? "true" : "false"));
  }
  WIRELAP_INLINE void seconds(std::string_view name, Nanos value) {
    char* const at = begin(name);
    end(value == kUnknownTime ? write(at, "null") : write_seconds(at, value, decimals_));
  }
  WIRELAP_INLINE void address(std::string_view name, const Address& value, int ip_version) {
    end(write(write_address(write(begin(name), "\""), value, ip_version), "\""));
  }
  /// One tag as a number; two, outermost first, as "100.200".
  WIRELAP_INLINE void vlan(std::string_view name, std::uint32_t tag) {
    char* const at = begin(name);
    const std::uint32_t count = tag >> 24 & 3;
    if (count == 0) return end(write(at, "null"));
    const std::string_view quote = count == 2 ? "\"" : "";
    end(write(write_vlan(write(at, quote), tag), quote));
  }
  /// Each as [seconds since the one before, bytes so far].
  WIRELAP_INLINE void steps(std::string_view name, const http::Steps& all) {
    cursor_.move_to(write(begin(name), "["));
    for (std::size_t i = 0; i < all.size(); ++i) {
      char* at = write(cursor_.room(kValueRoom), i == 0 ? "[" : ",[");
      at = write_seconds(at, i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      cursor_.move_to(write(write_integer(write(at, ","), all[i].reached), "]"));
    }
    end(write(cursor_.room(kValueRoom), "]"));
  }

 private:
  WIRELAP_INLINE static char* write(char* at, std::string_view text) { return Cursor::write(at, text); }
  /// Returns where the value goes: there is kValueRoom, and room for `more`.
  WIRELAP_INLINE char* begin(std::string_view name, std::size_t more = 0) {
    char* const at = cursor_.room(name.size() + 3 + kValueRoom + more);
    return write(write(write(at, "\""), name), "\":");
  }
  WIRELAP_INLINE void end(char* at) { cursor_.move_to(write(at, ",")); }

  Cursor cursor_;
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
