// A writer that checks what is true of every record.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/output.h"
#include "fuzz/target.h"
#include "output/writer.h"
#include "support/json.h"

namespace wirelap::fuzz {

/// Writes records as ndjson and keeps the text. `also`: a further format that must not fail; ndjson for none. Only one
/// exists at a time: they share the memory for the texts.
class CheckedRecords : public RecordWriter {
 public:
  CheckedRecords(const Wanted& wanted, std::string_view also);
  bool joined = false;  ///< a record may have packets of several files

  void write(const Record& record) override;
  void finish() override {
    if (also_ != nullptr) also_->finish();
  }

  std::string_view text() const { return output_.text(); }
  /// The text without the columns that depend on the file in which a packet is: the same wherever the capture was cut.
  std::string placeless() const;

 private:
  Output &output_, &spare_;
  std::unique_ptr<RecordWriter> ndjson_, also_;
};

}  // namespace wirelap::fuzz
