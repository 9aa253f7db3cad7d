#include "output/writer.h"

#include "output/csv.h"
#include "output/json.h"
#include "output/table.h"

namespace wirelap {

std::unique_ptr<Sink> make_sink(Format format, Output& output, const Wanted& wanted, TableStyle style) {
  switch (format) {
    case Format::ndjson: return std::make_unique<NdjsonSink>(output);
    case Format::json: return std::make_unique<JsonSink>(output);
    case Format::csv: return std::make_unique<CsvSink>(output, wanted);
    case Format::table: return std::make_unique<TableSink>(output, style);
  }
  return nullptr;
}

}  // namespace wirelap
