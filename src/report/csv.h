// report: CSV (RFC 4180): a header line, then a line an exchange.
#pragma once

#include "report/sink.h"

namespace wirelap {

class CsvSink : public Sink {
 public:
  CsvSink(Output& output, const http::Wanted& wanted) : output_(output), wanted_(wanted) {}
  void write(const Row& row) override;
  void finish() override;

 private:
  void put_header(const http::Wanted& wanted);

  Output& output_;
  const http::Wanted& wanted_;
  bool has_header_ = false;
};

}  // namespace wirelap
