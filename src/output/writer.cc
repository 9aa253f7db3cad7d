#include "output/writer.h"

#include <algorithm>
#include <type_traits>

#include "output/csv.h"
#include "output/json.h"
#include "output/table.h"

namespace wirelap {
namespace {

/// Makes a Writer from the arguments that its constructor takes.
template <class Writer>
std::unique_ptr<RecordWriter> make(Output& output, const Wanted& wanted, TableStyle style) {
  if constexpr (std::is_constructible_v<Writer, Output&, const Wanted&>)
    return std::make_unique<Writer>(output, wanted);
  else if constexpr (std::is_constructible_v<Writer, Output&, TableStyle>)
    return std::make_unique<Writer>(output, style);
  else
    return std::make_unique<Writer>(output);
}

constexpr Format kFormats[] = {
    {"table", "", make<TableWriter>},
    {"ndjson", ".ndjson", make<NdjsonWriter>},
    {"json", ".json", make<JsonWriter>},
    {"csv", ".csv", make<CsvWriter>},
    {kClassicName, "", nullptr},
    // Not available yet.
    {"report", ".txt", nullptr},
    {"report-json", ".report.json", nullptr},
    {"html", ".html", nullptr},
    {"har", ".har", nullptr},
    {"trace", ".trace", nullptr},
    {"prom", ".prom", nullptr},
    {"pcapng", ".pcapng", nullptr},
    {"otlp", ".otlp.json", nullptr},
};

}  // namespace

const Format* find_format(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& format) { return format.name == name; });
  return found != std::end(kFormats) ? found : nullptr;
}

const Format& format_of_file(std::string_view path) {
  const Format* longest = find_format("ndjson");
  std::size_t length = 0;
  for (const Format& format : kFormats) {
    if (format.suffix.size() <= length || !path.ends_with(format.suffix)) continue;
    longest = &format;
    length = format.suffix.size();
  }
  return *longest;
}

std::string format_names() {
  std::string names;
  for (const Format& format : kFormats) {
    if (format.make != nullptr || format.name == kClassicName) (names += names.empty() ? "" : ", ") += format.name;
  }
  return names;
}

std::unique_ptr<RecordWriter> make_writer(std::string_view format, Output& output, const Wanted& wanted,
                                          TableStyle style) {
  return find_format(format)->make(output, wanted, style);
}

}  // namespace wirelap
