// fuzz: the whole engine. A capture that is mapped, one that is read in small
// pieces, and one that is cut into two files which are joined give the same records,
// and each record is consistent.
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

/// The outputs of a run.
struct Outputs {
  std::string text, placeless, error;
  std::vector<std::string> summary;
  bool operator==(const Outputs&) const = default;
};

/// How a capture is read.
struct Reading {
  bool mapped = false;           ///< otherwise it is read by its descriptor
  std::size_t window_bytes = 0;  ///< 0: all in one piece
};

/// Runs the engine over `files` one after the other. `placeless` is filled where they are joined.
Outputs run(const EngineOptions& options, const std::vector<Bytes>& files, std::string_view also,
            Reading reading = {}) {
  CheckedRecords records(options.wanted, also);
  records.joined = options.join;
  Engine engine(options, records);
  std::optional<Error> error;
  for (const Bytes bytes : files) {
    const MemoryFile file(bytes);
    Input::Options input_options;
    input_options.window_bytes = reading.window_bytes != 0 ? reading.window_bytes : file.whole();
    input_options.map_threshold_bytes = reading.mapped ? 1 : file.whole();
    Input input(input_options);
    reading.mapped ? file.map(input) : file.read(input);
    error = engine.run(input, "capture");
  }
  engine.finish();
  records.finish();
  return {std::string(records.text()), options.join ? records.placeless() : "", error ? error_text(*error) : "",
          describe(engine.summary())};
}

/// Checks that a pcap file, cut in two between any two records, gives the same records where the parts are joined.
void check_joined(Bytes input, EngineOptions options) {
  const Pieces pieces = split_pieces(input, kCaptureLayout);
  // Before version 2.4 the two lengths of a record may be in the other order.
  if (pieces.all.size() < 2 || load_le32(pieces.head.data()) != 0xa1b2c3d4) return;
  if (load_le32(&pieces.head[4]) != (4u << 16 | 2)) return;
  options.join = true;
  const std::size_t cut = 1 + choice(input, 2) % (pieces.all.size() - 1);
  Pieces parts[2] = {{pieces.head, {}}, {pieces.head, {}}};
  for (std::size_t i = 0; i < pieces.all.size(); ++i) parts[i >= cut].all.push_back(pieces.all[i]);
  const Buffer front = put_together(parts[0], kCaptureLayout, input.size());
  const Buffer back = put_together(parts[1], kCaptureLayout, input.size());
  const Buffer both = put_together(pieces, kCaptureLayout, input.size());
  const Outputs whole = run(options, {both}, "table");
  const Outputs joined = run(options, {front, back}, "ndjson");
  require(whole.placeless == joined.placeless);
  require(whole.summary == joined.summary);
}

}  // namespace

void run_engine(Bytes input) {
  if (is_compressed(input)) return;
  const EngineOptions options = options_of(input);
  constexpr std::string_view kFormats[] = {"json", "csv", "table"};
  // Mapping a file takes longer than reading it, so only an eighth of the inputs are mapped.
  const bool mapped = choice(input, 2) % 8 == 7;
  const Outputs whole = run(options, {input}, kFormats[choice(input, 3) % 3], {mapped, 0});
  const Outputs pieces = run(options, {input}, "ndjson", {false, std::size_t{1} + choice(input, 0)});
  require(whole == pieces);
  if ((choice(input, 1) & 32) != 0) check_joined(input, options);
  if ((choice(input, 1) & 64) != 0) {
    const MemoryFile file(input);
    Input classic_input({});
    file.map(classic_input);
    Output output(-1);
    run_classic(classic_input, "capture", options.ports, output);
    require(output.text().empty() || test::is_json(output.text()));
  }
}

}  // namespace wirelap::fuzz
