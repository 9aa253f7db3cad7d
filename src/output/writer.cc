#include "output/writer.h"

#include "output/csv.h"
#include "output/json.h"
#include "output/table.h"

namespace wirelap {

std::unique_ptr<RecordWriter> make_writer(Format format, Output& output, const Wanted& wanted, TableStyle style) {
  switch (format) {
    case Format::ndjson: return std::make_unique<NdjsonWriter>(output);
    case Format::json: return std::make_unique<JsonWriter>(output);
    case Format::csv: return std::make_unique<CsvWriter>(output, wanted);
    case Format::table: return std::make_unique<TableWriter>(output, style);
  }
  return nullptr;
}

}  // namespace wirelap
