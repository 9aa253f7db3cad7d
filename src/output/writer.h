// output: writers of records.
//
// In: records, one after the other. Out: text in one format, to an Output.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/output.h"
#include "record/record.h"

namespace wirelap {

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

/// An output format; kFormats in writer.cc lists all of them.
struct Format {
  std::string_view name;    ///< the argument of -f
  std::string_view suffix;  ///< of files in this format; empty: none
  /// Makes a writer to `output`, for records with the columns of `wanted`; both outlive it. Null for classic, which is
  /// made of packets (output/classic.h), and for formats that are not available yet.
  std::unique_ptr<RecordWriter> (*make)(Output& output, const Wanted& wanted, TableStyle style);
};

inline constexpr std::string_view kClassicName = "classic";

/// The format with this name; null where there is none.
const Format* find_format(std::string_view name);

/// The format with the longest suffix that `path` ends with; ndjson where it ends with none.
const Format& format_of_file(std::string_view path);

/// The names of all formats that are available: "table, ndjson, ...".
std::string format_names();

/// Makes a writer for records in the format with this name.
std::unique_ptr<RecordWriter> make_writer(std::string_view format, Output& output, const Wanted& wanted,
                                          TableStyle style = {});

}  // namespace wirelap
