// A sink that holds each record against what is true of all records.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/output.h"
#include "fuzz/target.h"
#include "report/sink.h"
#include "support/json.h"

namespace wirelap::fuzz {

/// Keeps what ndjson says, and a second log without the columns that tell in
/// which file a record is. `also`: a further format that is to survive.
class Rows : public Sink {
 public:
  Rows(const http::Wanted& wanted, Format also)
      : ndjson_(make_sink(Format::ndjson, output_, wanted)), also_(make_sink(also, spare_, wanted)) {}

  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;
  void finish() override { also_->finish(); }

  std::string_view text() const { return output_.text(); }
  /// The same wherever the capture was cut into files.
  const std::string& placeless() const { return placeless_; }

 private:
  void check_line(std::size_t begin);

  Output output_{-1}, spare_{-1};
  std::unique_ptr<Sink> ndjson_, also_;
  std::string placeless_;
};

}  // namespace wirelap::fuzz
