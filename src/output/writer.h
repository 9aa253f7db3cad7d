// report: where finished exchanges go.
#pragma once

#include <cstddef>
#include <memory>

#include "base/output.h"
#include "record/row.h"

namespace wirelap {

enum class Format { ndjson, json, csv, table };

/// Writes records in one format. The only virtual call of a run, once a record.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Writes one record.
  virtual void write(const Row& row) = 0;
  /// Writes the record of a connection, after those of its exchanges.
  virtual void write_connection(const ConnectionRow&) {}
  /// Writes what ends the whole output, after the last record.
  virtual void finish() {}
};

/// How the table looks.
struct TableStyle {
  bool colour = false;        ///< with SGR escape sequences (ECMA-48)
  std::size_t columns = 100;  ///< at least 80
};

/// A sink that writes to `output`, for rows with the columns of `wanted`; both outlive it.
std::unique_ptr<Sink> make_sink(Format format, Output& output, const Wanted& wanted, TableStyle style = {});

}  // namespace wirelap
