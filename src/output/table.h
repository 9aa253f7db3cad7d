// output: a table for people: a line for each exchange, and a sentence for each connection after the lines of its
// exchanges.
#pragma once

#include <string>

#include "output/writer.h"

namespace wirelap {

/// A duration in at most six columns, with three significant digits: 412us, 1.23ms, 45.6ms, 12.3s, 4m05s, 2h13m; "-"
/// for an unknown one.
std::string short_duration(Nanos duration);

/// A count of bytes in at most five columns: 980, 1.2k, 46M.
std::string short_bytes(std::uint64_t bytes);

class TableWriter : public RecordWriter {
 public:
  TableWriter(Output& output, TableStyle style) : output_(output), style_(style) {}
  void write(const Record& record) override;
  void finish() override;

 private:
  void put_header();
  void put_exchange(const Record& record);
  void put_connection(const Record& record);
  void put_cell(std::string_view text, std::size_t width, const char* style = "");
  void put_phase(Nanos duration, bool largest);

  Output& output_;
  TableStyle style_;
  bool has_header_ = false;
};

}  // namespace wirelap
