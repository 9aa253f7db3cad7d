#include "wirelap.h"

#include <optional>
#include <utility>

#include "engine.h"
#include "output/json.h"
#include "record/record.h"

namespace wirelap {
namespace {

/// Passes on each record as soon as it is written.
class RecordSink : public RecordWriter {
 public:
  explicit RecordSink(OnRecord on_record) : on_record_(std::move(on_record)) {}
  void write(const Record& record) override {
    text_.clear();
    put_json(text_, record);
    on_record_(text_.text());
  }

 private:
  OnRecord on_record_;
  Output text_{-1};
};

EngineOptions engine_options(CaptureOptions&& options) {
  EngineOptions made;
  made.ports = std::move(options.ports);
  made.wanted.headers = std::move(options.headers);
  name_header_columns(made.wanted);
  made.wanted.steps = options.packets;
  made.wanted.connections = options.connections;
  made.tcp = options.tcp;
  made.memory_bytes = options.memory_bytes;
  return made;
}

}  // namespace

struct Capture::Inner {
  Inner(CaptureOptions options, OnRecord on_record)
      : name(std::move(options.name)), sink(std::move(on_record)), engine(engine_options(std::move(options)), sink) {
    engine.begin(input, name);
  }

  bool read(Bytes bytes, bool last) {
    input.provide(bytes, last);
    return engine.read_on();
  }

  /// Ends the connections, and says what there is to say.
  void end() {
    reading = false;
    if (const std::optional<Error> error = engine.end()) problem = error_text(*error);
  }

  std::string name;
  RecordSink sink;
  Input input{{}};
  Engine engine;
  std::vector<std::uint8_t> held;  // what came of a record that is cut
  bool reading = true;
  std::string problem;
};

Capture::Capture(CaptureOptions options, OnRecord on_record)
    : inner_(std::make_unique<Inner>(std::move(options), std::move(on_record))) {}
Capture::~Capture() = default;
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;

bool Capture::feed(const void* bytes, std::size_t count) {
  if (!inner_->reading) return false;
  Bytes next{static_cast<const std::uint8_t*>(bytes), count};
  std::vector<std::uint8_t>& held = inner_->held;
  const bool was_held = !held.empty();
  if (was_held) {
    held.insert(held.end(), next.begin(), next.end());
    next = held;
  }
  const bool can_go_on = inner_->read(next, false);
  const auto rest = static_cast<std::ptrdiff_t>(inner_->input.size());
  if (was_held) {
    held.erase(held.begin(), held.end() - rest);
  } else {
    held.assign(next.end() - rest, next.end());
  }
  if (!can_go_on) inner_->end();
  return can_go_on;
}

bool Capture::finish() {
  if (inner_->reading) {
    inner_->read(inner_->held, true);
    inner_->end();
  }
  return inner_->problem.empty();
}

const std::string& Capture::problem() const { return inner_->problem; }

CaptureCounts Capture::counts() const {
  const Summary summary = inner_->engine.summary();
  return {summary.decoded.records, summary.connections, summary.exchanges, summary.hole_bytes,
          summary.evicted_connections};
}

const char* version() { return WIRELAP_VERSION; }

}  // namespace wirelap
