#include "record/columns.h"

#include <algorithm>
#include <string_view>

#include "record/row.h"

namespace wirelap {
namespace {

/// Collects the columns' names.
class Names {
 public:
  explicit Names(std::vector<std::string>& names) : names_(names) {}
  void type(std::string_view) { names_.emplace_back("type"); }
  void text_if_any(std::string_view name, std::string_view) { names_.emplace_back(name); }
  void text(std::string_view name, std::string_view) { names_.emplace_back(name); }
  void integer(std::string_view name, std::uint64_t, bool = true) { names_.emplace_back(name); }
  void flag(std::string_view name, bool, bool) { names_.emplace_back(name); }
  void seconds(std::string_view name, Nanos) { names_.emplace_back(name); }
  void address(std::string_view name, const Address&, int) { names_.emplace_back(name); }
  void vlan(std::string_view name, std::uint32_t) { names_.emplace_back(name); }
  void steps(std::string_view name, const Steps&) { names_.emplace_back(name); }

 private:
  std::vector<std::string>& names_;
};

}  // namespace

std::vector<std::string> names_of_exchange(const Wanted& wanted) {
  const Connection connection;
  const Exchange exchange;
  std::vector<std::string> names;
  Names columns(names);
  visit_columns(Row{{}, 0, connection, exchange, wanted}, columns);
  return names;
}

std::vector<std::string> names_of_connection() {
  const Connection connection;
  std::vector<std::string> names;
  Names columns(names);
  visit_columns(ConnectionRow{{}, 0, connection, Side::low}, columns);
  return names;
}

void name_header_columns(Wanted& wanted) {
  wanted.header_columns.clear();
  if (wanted.headers.empty()) return;
  Wanted steps;
  steps.steps = true;
  std::vector<std::string> own = names_of_exchange(steps);
  for (std::string& name : names_of_connection()) own.push_back(std::move(name));
  for (const std::string& name : wanted.headers) {
    const bool taken = std::find(own.begin(), own.end(), name) != own.end();
    wanted.header_columns.push_back(taken ? "header_" + name : name);
  }
}

}  // namespace wirelap
