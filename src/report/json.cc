#include "report/json.h"

#include "report/escape.h"

namespace wirelap {
namespace {

/// Writes columns as the members of one JSON object.
class JsonColumns {
 public:
  JsonColumns(Output& output, int decimals) : output_(output), decimals_(decimals) {}

  void text(std::string_view name, std::string_view value, bool known = true) {
    begin(name);
    if (!known) return null();
    output_.put('"');
    put_json_text(output_, value);
    output_.put('"');
  }
  void integer(std::string_view name, std::uint64_t value, bool known = true) {
    begin(name);
    if (!known) return null();
    output_.put_integer(value);
  }
  void flag(std::string_view name, bool value, bool known) {
    begin(name);
    output_.put(!known ? "null" : value ? "true" : "false");
  }
  void seconds(std::string_view name, Nanos value) {
    begin(name);
    if (value == kUnknownTime) return null();
    output_.put_seconds(value, decimals_);
  }
  void address(std::string_view name, const Address& value, int ip_version) {
    begin(name);
    output_.put('"');
    put_address(output_, value, ip_version);
    output_.put('"');
  }
  /// One tag as a number; two, outermost first, as "100.200".
  void vlan(std::string_view name, std::uint32_t tag) {
    begin(name);
    const std::uint32_t count = tag >> 24 & 3;
    if (count == 0) return null();
    if (count == 2) output_.put('"');
    put_vlan(output_, tag);
    if (count == 2) output_.put('"');
  }
  /// Each as [seconds since the one before, bytes so far].
  void steps(std::string_view name, const std::vector<http::Step>& all) {
    begin(name);
    output_.put('[');
    for (std::size_t i = 0; i < all.size(); ++i) {
      output_.put(i == 0 ? "[" : ",[");
      output_.put_seconds(i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      output_.put(',');
      output_.put_integer(all[i].reached);
      output_.put(']');
    }
    output_.put(']');
  }

 private:
  void begin(std::string_view name) {
    output_.put(first_ ? "{\"" : ",\"");
    output_.put(name);
    output_.put("\":");
    first_ = false;
  }
  void null() { output_.put("null"); }

  Output& output_;
  int decimals_;
  bool first_ = true;
};

template <class AnyRow>
void put_object(Output& output, const AnyRow& row) {
  visit_columns(row, JsonColumns(output, row.decimals));
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
