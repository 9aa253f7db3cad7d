#include "report/json.h"

#include <algorithm>
#include <cstring>

#include "report/escape.h"

namespace wirelap {
namespace {

// Names of columns are known to the compiler where a member is inlined: it
// then stores them as they are, without a loop.
#define WIRELAP_INLINE [[gnu::always_inline]]

/// Writes columns as the members of one JSON object, a comma behind each.
class JsonColumns {
 public:
  JsonColumns(Output& output, int decimals) : output_(output), decimals_(decimals) {}

  WIRELAP_INLINE void text(std::string_view name, std::string_view value, bool known = true) {
    char* at = begin(name);
    if (!known) return end(write(at, "null"));
    *at++ = '"';
    output_.end_at(at);
    put_json_text(output_, value);
    end(write(output_.room(kValueRoom), "\""));
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
  void vlan(std::string_view name, std::uint32_t tag) {
    char* const at = begin(name);
    const std::uint32_t count = tag >> 24 & 3;
    if (count == 0) return end(write(at, "null"));
    const std::string_view quote = count == 2 ? "\"" : "";
    end(write(write_vlan(write(at, quote), tag), quote));
  }
  /// Each as [seconds since the one before, bytes so far].
  void steps(std::string_view name, const std::vector<http::Step>& all) {
    output_.end_at(write(begin(name), "["));
    for (std::size_t i = 0; i < all.size(); ++i) {
      output_.put(i == 0 ? "[" : ",[");
      output_.put_seconds(i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      output_.put(',');
      output_.put_integer(all[i].reached);
      output_.put(']');
    }
    end(write(output_.room(kValueRoom), "]"));
  }

 private:
  WIRELAP_INLINE static char* write(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }
  /// Returns where the value goes: there is kValueRoom.
  WIRELAP_INLINE char* begin(std::string_view name) {
    return write(write(write(output_.room(name.size() + 3 + kValueRoom), "\""), name), "\":");
  }
  WIRELAP_INLINE void end(char* at) { output_.end_at(write(at, ",")); }

  Output& output_;
  int decimals_;
};

template <class AnyRow>
void put_object(Output& output, const AnyRow& row) {
  output.put('{');
  visit_columns(row, JsonColumns(output, row.decimals));
  output.take_back(1);
  output.put('}');
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
  output_.put(empty_ ? "[\n" : ",\n");
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
