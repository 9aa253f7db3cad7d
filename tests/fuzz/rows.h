// A sink that holds each record against what is true of all records.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/output.h"
#include "fuzz/target.h"
#include "output/writer.h"
#include "support/json.h"

namespace wirelap::fuzz {

/// Keeps what ndjson says. `also`: a further format that is to survive, ndjson
/// for none. There is one at a time: the text's memory is the next one's, too.
class Rows : public Sink {
 public:
  Rows(const Wanted& wanted, Format also);

  void write(const Row& row) override;
  void write_connection(const ConnectionRow& row) override;
  void finish() override {
    if (also_ != nullptr) also_->finish();
  }

  std::string_view text() const { return output_.text(); }
  /// Without the columns that tell in which file a record is: the same wherever the capture was cut.
  std::string placeless() const;

 private:
  void check_line(std::size_t begin);

  Output &output_, &spare_;
  std::unique_ptr<Sink> ndjson_, also_;
};

}  // namespace wirelap::fuzz
