#include "fuzz/records.h"

namespace wirelap::fuzz {
namespace {

void check_times(const Record& record) {
  Nanos sum = 0;
  for (const auto phase : kPhaseColumns) {
    if (record.*phase == kUnknownTime) continue;
    require(record.*phase >= 0);
    sum += record.*phase;
  }
  require(sum == record.total);
  require(record.idle >= 0 || record.idle == kUnknownTime);
  require(record.max_gap >= 0);
  if (record.network == kUnknownTime) return;
  sum = 0;
  for (const auto cause : kCauseColumns) {
    require(record.*cause >= 0);
    sum += record.*cause;
  }
  require(sum == record.total);
}

void check_exchange(const Record& record) {
  check_times(record);
  require(record.exchange != 0 && record.connection != 0);
  require(record.request_body_bytes <= record.request_bytes);
  require(record.response_body_bytes <= record.response_bytes);
  require(record.status.value_or(0) <= 999);
  if (!record.interpacket_times) return;
  std::uint64_t bytes = 0;
  for (const PacketTime& time : *record.interpacket_times) {
    require(time.gap >= 0 && time.bytes >= bytes);
    bytes = time.bytes;
  }
}

void check(const Record& record) {
  for (const Nanos rtt : {record.server_rtt, record.client_rtt}) require(rtt >= 0 || rtt == kUnknownTime);
  record.type == RecordType::exchange ? check_exchange(record) : require(record.duration >= 0);
}

/// `line`, a line of ndjson with its end, is one JSON object.
void check_line(std::string_view line) {
  require(line.size() > 1 && line.find('\n') == line.size() - 1);
  require(test::is_json(line));
}

/// `line` without its columns `capture`, `first_frame` and `last_frame`.
std::string without_places(std::string_view line) {
  const std::size_t capture = line.find("\"capture\":"), connection = line.find("\"connection\":", capture);
  const std::size_t frame = line.find("\"first_frame\":", connection), start = line.find("\"start\":", frame);
  require(start != std::string_view::npos);
  return std::string(line.substr(connection, frame - connection)).append(line.substr(start));
}

Output& cleared(Output& output) {
  output.clear();
  return output;
}

Output& text_buffer() {
  static Output buffer(-1);
  return cleared(buffer);
}

Output& spare_buffer() {
  static Output buffer(-1);
  return cleared(buffer);
}

}  // namespace

CheckedRecords::CheckedRecords(const Wanted& wanted, std::string_view also)
    : output_(text_buffer()),
      spare_(spare_buffer()),
      ndjson_(make_writer("ndjson", output_, wanted)),
      also_(also != "ndjson" ? make_writer(also, spare_, wanted) : nullptr) {}

void CheckedRecords::write(const Record& record) {
  check(record);
  require(record.first_frame != 0 && (joined || record.first_frame <= record.last_frame));
  const std::size_t begin = output_.text().size();
  ndjson_->write(record);
  check_line(output_.text().substr(begin));
  if (also_ != nullptr) also_->write(record);
}

std::string CheckedRecords::placeless() const {
  std::string all;
  for (std::string_view rest = text(); !rest.empty();) {
    const std::size_t end = rest.find('\n') + 1;
    all += without_places(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return all;
}

}  // namespace wirelap::fuzz
