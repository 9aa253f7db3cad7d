#include "wirelap.h"

#include <optional>
#include <utility>

#include "engine.h"
#include "output/escape.h"
#include "output/json.h"
#include "record/record.h"

namespace wirelap {
namespace {

class CallbackWriter : public RecordWriter {
 public:
  explicit CallbackWriter(OnRecord on_record) : on_record_(std::move(on_record)) {}
  void write(const Record& record) override { on_record_(record); }

 private:
  OnRecord on_record_;
};

/// The value of a column's member.
struct ToValue {
  Null null;

  Value operator()(RecordType type) const { return std::string(name_of(type)); }
  Value operator()(std::string_view text) const {
    return text.empty() && null == Null::unknown ? Value() : std::string(text);
  }
  Value operator()(std::uint64_t integer) const { return integer; }
  Value operator()(const std::optional<std::uint64_t>& integer) const { return integer ? Value(*integer) : Value(); }
  Value operator()(std::optional<bool> flag) const { return flag ? Value(*flag) : Value(); }
  Value operator()(Nanos time) const { return time == kUnknownTime ? Value() : std::chrono::nanoseconds(time); }
  Value operator()(const IpAddress& address) const {
    char text[kValueRoom];
    return std::string(text, write_address(text, address.address, address.version));
  }
  Value operator()(VlanIds ids) const {
    if (ids.count() == 0) return {};
    if (ids.count() == 1) return std::uint64_t{ids.outer()};
    char text[kValueRoom];
    return std::string(text, write_vlan(text, ids));
  }
  Value operator()(const std::optional<PacketTimes>& times) const {
    if (!times) return {};
    InterpacketTimes value;
    for (const PacketTime& time : *times) value.emplace_back(std::chrono::nanoseconds(time.gap), time.bytes);
    return value;
  }
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

std::vector<ColumnInfo> columns() {
  std::vector<ColumnInfo> all;
  for (const Column& column : kColumns) {
    all.push_back({column.name, type_of(column), column.unit, column.help, column.in != In::connections,
                   column.is_in(RecordType::connection)});
  }
  return all;
}

Value value_of(const Record& record, std::size_t column) {
  if (column >= std::size(kColumns)) return {};
  const Column& entry = kColumns[column];
  const bool with_packets = entry.in == In::exchanges_with_packets && record.type == RecordType::exchange;
  if (!with_packets && !entry.is_in(record.type)) return {};
  Value value;
  visit_column(entry, record, [&](const auto& member) { value = ToValue{entry.null}(member); });
  return value;
}

Value value_of(const Record& record, std::string_view column) {
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    if (kColumns[i].name == column) return value_of(record, i);
  }
  for (const HeaderColumn& header : record.headers) {
    if (header.name == column && header.known) return header.value;
  }
  return {};
}

std::string json_of(const Record& record) {
  Output text(-1);
  put_json(text, record);
  return std::string(text.text());
}

std::shared_ptr<const Record> copy_of(const Record& record) { return std::make_shared<const Record>(record); }

struct Capture::Inner {
  Inner(CaptureOptions options, OnRecord on_record)
      : name(std::move(options.name)),
        writer(std::move(on_record)),
        engine(engine_options(std::move(options)), writer) {
    engine.begin(input, name);
  }

  bool read(Bytes bytes, bool last) {
    input.provide(bytes, last);
    return engine.read_on();
  }

  /// Ends the connections, which reports what is open.
  void end() {
    reading = false;
    if (const std::optional<Error> error = engine.end()) problem = error_text(*error);
  }

  std::string name;
  CallbackWriter writer;
  Input input{{}};
  Engine engine;
  std::vector<std::uint8_t> held;  // the part of a packet whose rest has not arrived
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
  return {summary.decoded.records, summary.connections, summary.exchanges, summary.missing_bytes,
          summary.evicted_connections};
}

const char* version() { return WIRELAP_VERSION; }

}  // namespace wirelap
