// report: CSV (RFC 4180): a header line, then a line a record. Where there are
// records of connections, too, their own columns follow those of exchanges, and
// what a type of record does not have is empty.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "output/writer.h"

namespace wirelap {

class CsvSink : public Sink {
 public:
  CsvSink(Output& output, const Wanted& wanted) : output_(output), wanted_(wanted) {}
  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;
  void finish() override;

 private:
  void put_header();

  Output& output_;
  const Wanted& wanted_;
  std::vector<std::string> names_;    // of all columns, but for headers and steps; empty before the header
  std::size_t exchange_columns_ = 0;  // of them, from the front
};

}  // namespace wirelap
