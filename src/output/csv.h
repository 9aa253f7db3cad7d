// output: CSV (RFC 4180): a header line, then one line a record. With records of connections, the columns that only
// those have follow the exchanges' columns, and the columns that a type of record does not have are empty.
#pragma once

#include "output/writer.h"

namespace wirelap {

class CsvWriter : public RecordWriter {
 public:
  CsvWriter(Output& output, const Wanted& wanted) : output_(output), wanted_(wanted) {}
  void write(const Record& record) override;
  void finish() override;

 private:
  void put_header();

  Output& output_;
  const Wanted& wanted_;
  bool has_header_ = false;
};

}  // namespace wirelap
