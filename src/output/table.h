// report: a table for people, a line an exchange; a connection is a sentence
// after the lines of its exchanges.
#pragma once

#include <string>

#include "output/writer.h"

namespace wirelap {

/// A duration in at most six columns, with three digits that matter: 412us,
/// 1.23ms, 45.6ms, 12.3s, 4m05s, 2h13m; "-" for an unknown one.
std::string short_duration(Nanos duration);

/// A count of bytes in at most five columns: 980, 1.2k, 46M.
std::string short_bytes(std::uint64_t bytes);

class TableSink : public Sink {
 public:
  TableSink(Output& output, TableStyle style) : output_(output), style_(style) {}
  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;
  void finish() override;

 private:
  void put_header();
  void put_cell(std::string_view text, std::size_t width, const char* style = "");
  void put_phase(Nanos duration, bool largest);

  Output& output_;
  TableStyle style_;
  bool has_header_ = false;
};

}  // namespace wirelap
