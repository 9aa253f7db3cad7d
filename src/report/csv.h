// report: CSV (RFC 4180): a header line, then a line an exchange.
#pragma once

#include "report/sink.h"

namespace wirelap {

class CsvSink : public Sink {
 public:
  explicit CsvSink(Output& output) : output_(output) {}
  void write(const Row& row) override;
  void finish() override;

 private:
  void put_header(bool with_steps);

  Output& output_;
  bool has_header_ = false;
};

}  // namespace wirelap
