#include "output/csv.h"

#include <algorithm>
#include <utility>

#include "output/cursor.h"
#include "output/escape.h"
#include "record/columns.h"

namespace wirelap {
namespace {

/// Writes columns as the fields of one line; what is not known is empty.
class CsvColumns {
 public:
  /// With `names` a column goes under the one of its name, and those left out are empty.
  CsvColumns(Output& output, int decimals, const std::vector<std::string>* names = nullptr)
      : cursor_(output), decimals_(static_cast<std::size_t>(decimals)), names_(names) {}
  /// Ends the line, after `more` empty fields.
  WIRELAP_INLINE void finish(std::size_t more) {
    while (more-- > 0) end(cursor_.room(1));
    cursor_.finish("\r");
  }

  WIRELAP_INLINE void type(std::string_view value) { text("type", value); }
  WIRELAP_INLINE void text(std::string_view name, std::string_view value) {
    end(write_csv_text(begin(name, escaped_room(value.size())), value));
  }
  WIRELAP_INLINE void text_if_any(std::string_view name, std::string_view value) { text(name, value); }
  WIRELAP_INLINE void integer(std::string_view name, std::uint64_t value, bool known = true) {
    char* const at = begin(name);
    end(known ? write_integer(at, value) : at);
  }
  WIRELAP_INLINE void flag(std::string_view name, bool value, bool known) {
    end(Cursor::write(begin(name), !known ? "" : value ? "true" : "false"));
  }
  WIRELAP_INLINE void seconds(std::string_view name, Nanos value) {
    char* const at = begin(name);
    end(value == kUnknownTime ? at : write_seconds(at, value, decimals_));
  }
  WIRELAP_INLINE void address(std::string_view name, const Address& value, int ip_version) {
    end(write_address(begin(name), value, ip_version));
  }
  WIRELAP_INLINE void vlan(std::string_view name, std::uint32_t tag) { end(write_vlan(begin(name), tag)); }
  /// Each as seconds:bytes, with a space between two.
  WIRELAP_INLINE void steps(std::string_view name, const Steps& all) {
    cursor_.move_to(begin(name));
    for (std::size_t i = 0; i < all.size(); ++i) {
      char* at = Cursor::write(cursor_.room(kValueRoom), i == 0 ? "" : " ");
      at = write_seconds(at, i == 0 ? 0 : std::max<Nanos>(0, all[i].time - all[i - 1].time), decimals_);
      cursor_.move_to(write_integer(Cursor::write(at, ":"), all[i].reached));
    }
    end(cursor_.room(1));
  }

 private:
  /// Returns where the value goes: there is kValueRoom, and room for `more`.
  WIRELAP_INLINE char* begin(std::string_view name, std::size_t more = 0) {
    if (names_ != nullptr) pass_to(name);
    return cursor_.room(kValueRoom + more);
  }
  /// Leaves columns empty up to the one of that name. Apart: it would stand in each column's code.
  [[gnu::noinline]] void pass_to(std::string_view name) {
    for (; column_ + 1 < names_->size() && (*names_)[column_] != name; ++column_) end(cursor_.room(1));
    ++column_;
  }
  WIRELAP_INLINE void end(char* at) { cursor_.move_to(Cursor::write(at, ",")); }

  Cursor cursor_;
  std::size_t decimals_;
  const std::vector<std::string>* names_;
  std::size_t column_ = 0;  // the next
};

}  // namespace

void CsvSink::write(const Row& row) {
  put_header();
  CsvColumns columns(output_, row.decimals);
  visit_columns(row, columns);
  columns.finish(names_.size() - exchange_columns_);
  output_.end_line();
}

void CsvSink::write_connection(const ConnectionRow& row) {
  put_header();
  CsvColumns columns(output_, row.decimals, &names_);
  ByCall calls(columns);
  visit_columns(row, calls);
  columns.finish(0);
  output_.end_line();
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
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (i != 0) output_.put(',');
    output_.put(names_[i]);
  }
  output_.put('\r');
  output_.end_line();
}

}  // namespace wirelap
