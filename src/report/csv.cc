#include "report/csv.h"

#include "report/escape.h"

namespace wirelap {
namespace {

/// Writes columns as the fields of one line; what is not known is empty.
class CsvColumns {
 public:
  CsvColumns(Output& output, int decimals) : output_(output), decimals_(decimals) {}

  void text(std::string_view, std::string_view value, bool known = true) {
    begin();
    if (known) put_csv_text(output_, value);
  }
  void integer(std::string_view, std::uint64_t value, bool known = true) {
    begin();
    if (known) output_.put_integer(value);
  }
  void seconds(std::string_view, Nanos value) {
    begin();
    if (value != kUnknownTime) output_.put_seconds(value, decimals_);
  }
  void address(std::string_view, const Address& value, int ip_version) {
    begin();
    put_address(output_, value, ip_version);
  }
  void vlan(std::string_view, std::uint32_t tag) {
    begin();
    put_vlan(output_, tag);
  }
  /// Each as seconds:bytes, with a space between two.
  void steps(std::string_view, const std::vector<http::Step>& all) {
    begin();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i != 0) output_.put(' ');
      output_.put_seconds(i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      output_.put(':');
      output_.put_integer(all[i].reached);
    }
  }

 private:
  void begin() {
    if (!first_) output_.put(',');
    first_ = false;
  }

  Output& output_;
  int decimals_;
  bool first_ = true;
};

/// Writes the columns' names.
class CsvHeader {
 public:
  explicit CsvHeader(Output& output) : output_(output) {}
  void text(std::string_view name, std::string_view, bool = true) { put(name); }
  void integer(std::string_view name, std::uint64_t, bool = true) { put(name); }
  void seconds(std::string_view name, Nanos) { put(name); }
  void address(std::string_view name, const Address&, int) { put(name); }
  void vlan(std::string_view name, std::uint32_t) { put(name); }
  void steps(std::string_view name, const std::vector<http::Step>&) { put(name); }

 private:
  void put(std::string_view name) {
    if (!first_) output_.put(',');
    output_.put(name);
    first_ = false;
  }

  Output& output_;
  bool first_ = true;
};

void put_line_end(Output& output) {
  output.put('\r');
  output.end_line();
}

}  // namespace

void CsvSink::write(const Row& row) {
  if (!has_header_) put_header(row.wanted);
  visit_columns(row, CsvColumns(output_, row.decimals));
  put_line_end(output_);
}

void CsvSink::finish() {
  if (!has_header_) put_header(wanted_);
}

void CsvSink::put_header(const http::Wanted& wanted) {
  const Connection connection;
  const http::Exchange exchange;
  visit_columns(Row{{}, 0, connection, exchange, wanted}, CsvHeader(output_));
  put_line_end(output_);
  has_header_ = true;
}

}  // namespace wirelap
