#include "report/sink.h"

#include "report/csv.h"
#include "report/json.h"
#include "report/table.h"

namespace wirelap {

std::unique_ptr<Sink> make_sink(Format format, Output& output, const http::Wanted& wanted, TableStyle style) {
  switch (format) {
    case Format::ndjson: return std::make_unique<NdjsonSink>(output);
    case Format::json: return std::make_unique<JsonSink>(output);
    case Format::csv: return std::make_unique<CsvSink>(output, wanted);
    case Format::table: return std::make_unique<TableSink>(output, style);
  }
  return nullptr;
}

}  // namespace wirelap
