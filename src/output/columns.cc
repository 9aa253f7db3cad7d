#include "output/columns.h"

#include <algorithm>
#include <array>
#include <vector>

#include "record/schema.h"

namespace wirelap {
namespace {

using Line = std::array<std::string, 6>;

Line line_of(const Column& column) {
  const bool in_connections = column.is_in(RecordType::connection);
  const char* const records = column.in == In::connections ? "connection"
                              : in_connections             ? "exchange, connection"
                                                           : "exchange";
  return {std::string(column.name),     records,
          std::string(type_of(column)), column.null == Null::never ? "no" : "yes",
          std::string(column.unit),     std::string(column.help)};
}

}  // namespace

std::string list_columns(bool aligned) {
  std::vector<Line> lines = {{"column", "records", "type", "null", "unit", "description"}};
  for (const Column& column : kColumns) lines.push_back(line_of(column));
  std::array<std::size_t, 6> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      text += line[i];
      if (aligned && !last) text.append(widths[i] - line[i].size() + 2, ' ');
      if (!aligned) text += last ? "" : "\t";
    }
    text += '\n';
  }
  return text;
}

}  // namespace wirelap
