#include "report/csv.h"

#include <algorithm>
#include <utility>

#include "report/escape.h"

namespace wirelap {
namespace {

/// Writes columns as the fields of one line, a comma behind each; what is not known is empty.
class CsvColumns {
 public:
  /// With `names` a column goes under the one of its name, and those left out are empty.
  CsvColumns(Output& output, int decimals, const std::vector<std::string>* names = nullptr)
      : output_(output), decimals_(decimals), names_(names) {}

  void text(std::string_view name, std::string_view value, bool known = true) {
    begin(name);
    if (known) put_csv_text(output_, value);
    output_.put(',');
  }
  void integer(std::string_view name, std::uint64_t value, bool known = true) {
    char* const at = begin(name);
    end(known ? write_integer(at, value) : at);
  }
  void flag(std::string_view name, bool value, bool known) {
    begin(name);
    output_.put(!known ? "," : value ? "true," : "false,");
  }
  void seconds(std::string_view name, Nanos value) {
    char* const at = begin(name);
    end(value == kUnknownTime ? at : write_seconds(at, value, decimals_));
  }
  void address(std::string_view name, const Address& value, int ip_version) {
    end(write_address(begin(name), value, ip_version));
  }
  void vlan(std::string_view name, std::uint32_t tag) { end(write_vlan(begin(name), tag)); }
  /// Each as seconds:bytes, with a space between two.
  void steps(std::string_view name, const std::vector<http::Step>& all) {
    begin(name);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i != 0) output_.put(' ');
      output_.put_seconds(i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      output_.put(':');
      output_.put_integer(all[i].reached);
    }
    output_.put(',');
  }

 private:
  /// Returns where the value goes: there is kValueRoom.
  char* begin(std::string_view name) {
    if (names_ != nullptr) {
      for (; column_ + 1 < names_->size() && (*names_)[column_] != name; ++column_) output_.put(',');
      ++column_;
    }
    return output_.room(kValueRoom);
  }
  void end(char* at) {
    *at++ = ',';
    output_.end_at(at);
  }

  Output& output_;
  int decimals_;
  const std::vector<std::string>* names_;
  std::size_t column_ = 0;  // the next
};

/// Collects the columns' names.
class CsvNames {
 public:
  explicit CsvNames(std::vector<std::string>& names) : names_(names) {}
  void text(std::string_view name, std::string_view, bool = true) { names_.emplace_back(name); }
  void integer(std::string_view name, std::uint64_t, bool = true) { names_.emplace_back(name); }
  void flag(std::string_view name, bool, bool) { names_.emplace_back(name); }
  void seconds(std::string_view name, Nanos) { names_.emplace_back(name); }
  void address(std::string_view name, const Address&, int) { names_.emplace_back(name); }
  void vlan(std::string_view name, std::uint32_t) { names_.emplace_back(name); }
  void steps(std::string_view name, const std::vector<http::Step>&) { names_.emplace_back(name); }

 private:
  std::vector<std::string>& names_;
};

std::vector<std::string> names_of_exchange(const http::Wanted& wanted) {
  const Connection connection;
  const http::Exchange exchange;
  std::vector<std::string> names;
  visit_columns(Row{{}, 0, connection, exchange, wanted}, CsvNames(names));
  return names;
}

std::vector<std::string> names_of_connection() {
  const Connection connection;
  std::vector<std::string> names;
  visit_columns(ConnectionRow{{}, 0, connection, Side::low}, CsvNames(names));
  return names;
}

/// Ends a line behind the comma of its last field.
void put_line_end(Output& output) {
  output.take_back(1);
  output.put('\r');
  output.end_line();
}

}  // namespace

void CsvSink::write(const Row& row) {
  put_header();
  visit_columns(row, CsvColumns(output_, row.decimals));
  for (std::size_t i = exchange_columns_; i < names_.size(); ++i) output_.put(',');
  put_line_end(output_);
}

void CsvSink::write_connection(const ConnectionRow& row) {
  put_header();
  visit_columns(row, CsvColumns(output_, row.decimals, &names_));
  put_line_end(output_);
}

void CsvSink::finish() { put_header(); }

void CsvSink::put_header() {
  if (!names_.empty()) return;
  names_ = names_of_exchange(wanted_);
  exchange_columns_ = names_.size();
  const auto usual = static_cast<std::ptrdiff_t>(names_of_exchange({}).size());
  if (wanted_.connections) {
    for (std::string& name : names_of_connection()) {
      const auto end = names_.begin() + usual;
      if (std::find(names_.begin(), end, name) == end) names_.push_back(std::move(name));
    }
  }
  for (const std::string& name : names_) {
    output_.put(name);
    output_.put(',');
  }
  put_line_end(output_);
  // A column of a header may be named as one of a connection's own, and is none.
  for (std::size_t i = static_cast<std::size_t>(usual); i < exchange_columns_; ++i) names_[i].clear();
}

}  // namespace wirelap
