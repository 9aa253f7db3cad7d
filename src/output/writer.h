// output: writers of records.
//
// In: records, one after the other. Out: text in one format, to an Output.
#pragma once

#include <cstddef>
#include <memory>

#include "base/output.h"
#include "record/record.h"

namespace wirelap {

enum class Format { ndjson, json, csv, table };

/// Writes records in one format. A record of a connection comes after those of its exchanges.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;
  virtual void write(const Record& record) = 0;
  /// Writes what ends the output, after the last record.
  virtual void finish() {}
};

/// How the table looks.
struct TableStyle {
  bool colour = false;        ///< with SGR escape sequences (ECMA-48)
  std::size_t columns = 100;  ///< at least 80
};

/// A writer to `output`, for records with the columns of `wanted`; both outlive it.
std::unique_ptr<RecordWriter> make_writer(Format format, Output& output, const Wanted& wanted, TableStyle style = {});

}  // namespace wirelap
