// The whole: a capture that is mapped, read in small pieces, or cut into two
// files that are joined gives the same records, and each of them adds up.
#include "engine.h"

#include <optional>
#include <string>
#include <vector>

#include "fuzz/memory_file.h"
#include "fuzz/pieces.h"
#include "fuzz/records.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

EngineOptions options_of(Bytes input) {
  const std::uint8_t bits = choice(input, 1);
  EngineOptions options;
  options.tcp = (bits & 1) != 0;
  options.wanted.connections = (bits & 2) != 0;
  options.wanted.steps = (bits & 4) != 0;
  if ((bits & 8) != 0) options.wanted.headers = {"content-type", "x-amz-request-id"};
  if ((bits & 16) != 0) options.ports = {80, 443};
  return options;
}

struct Ran {
  std::string text, placeless, error;
  std::vector<std::string> summary;
  bool operator==(const Ran&) const = default;
};

/// How a capture gets in.
struct Way {
  bool by_name = false;          ///< mapped; else read
  std::size_t window_bytes = 0;  ///< 0: all in one piece
};

/// Runs over `files` one after the other. `placeless` is filled where they are joined.
Ran run(const EngineOptions& options, const std::vector<Bytes>& files, Format also, Way way = {}) {
  CheckedRecords records(options.wanted, also);
  records.joined = options.join;
  Engine engine(options, records);
  std::optional<Error> error;
  for (const Bytes bytes : files) {
    const MemoryFile file(bytes);
    Input::Options reading;
    reading.window_bytes = way.window_bytes != 0 ? way.window_bytes : file.whole();
    reading.map_threshold_bytes = way.by_name ? 1 : file.whole();
    Input input(reading);
    way.by_name ? file.map(input) : file.read(input);
    error = engine.run(input, "capture");
  }
  engine.finish();
  records.finish();
  return {std::string(records.text()), options.join ? records.placeless() : "", error ? error_text(*error) : "",
          describe(engine.summary())};
}

/// A pcap, wherever its records end, as two.
void check_joined(Bytes input, EngineOptions options) {
  const Pieces pieces = take_apart(input, kCaptureLayout);
  // Before version 2.4 the two lengths of a record may change places.
  if (pieces.all.size() < 2 || load_le32(pieces.head.data()) != 0xa1b2c3d4) return;
  if (load_le32(&pieces.head[4]) != (4u << 16 | 2)) return;
  options.join = true;
  const std::size_t cut = 1 + choice(input, 2) % (pieces.all.size() - 1);
  Pieces parts[2] = {{pieces.head, {}}, {pieces.head, {}}};
  for (std::size_t i = 0; i < pieces.all.size(); ++i) parts[i >= cut].all.push_back(pieces.all[i]);
  const Buffer front = put_together(parts[0], kCaptureLayout, input.size());
  const Buffer back = put_together(parts[1], kCaptureLayout, input.size());
  const Buffer both = put_together(pieces, kCaptureLayout, input.size());
  const Ran whole = run(options, {both}, Format::table);
  const Ran joined = run(options, {front, back}, Format::ndjson);
  require(whole.placeless == joined.placeless);
  require(whole.summary == joined.summary);
}

}  // namespace

void run_engine(Bytes input) {
  if (is_compressed(input)) return;
  const EngineOptions options = options_of(input);
  constexpr Format kFormats[] = {Format::json, Format::csv, Format::table};
  // The system takes longer to map a file than we to read it.
  const bool by_name = choice(input, 2) % 8 == 7;
  const Ran whole = run(options, {input}, kFormats[choice(input, 3) % 3], {by_name, 0});
  const Ran pieces = run(options, {input}, Format::ndjson, {false, std::size_t{1} + choice(input, 0)});
  require(whole == pieces);
  if ((choice(input, 1) & 32) != 0) check_joined(input, options);
  if ((choice(input, 1) & 64) != 0) {
    const MemoryFile file(input);
    Input mapped({});
    file.map(mapped);
    Output output(-1);
    run_classic(mapped, "capture", options.ports, output);
    require(output.text().empty() || test::is_json(output.text()));
  }
}

}  // namespace wirelap::fuzz
