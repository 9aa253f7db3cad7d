#include "fuzz/rows.h"

namespace wirelap::fuzz {
namespace {

void check_times(const Row& row) {
  const Exchange& exchange = row.exchange;
  const Phases phases = measure_phases(exchange, row.connection.handshake);
  Nanos sum = 0;
  for (const Nanos phase : {phases.connect, phases.tls, phases.send, phases.wait, phases.receive}) {
    if (phase == kUnknownTime) continue;
    require(phase >= 0);
    sum += phase;
  }
  require(sum == phases.total);
  require(exchange.idle >= 0 || exchange.idle == kUnknownTime);
  require(exchange.max_gap >= 0);
  for (const Nanos rtt : {row.connection.handshake.server_rtt(), row.connection.handshake.client_rtt()}) {
    require(rtt >= 0 || rtt == kUnknownTime);
  }
  if (!exchange.attributed) return;
  const CauseTimes spent = measure_causes(exchange, row.connection.handshake, phases);
  for (const Nanos part : spent.by) require(part >= 0);
  require(spent.total() == phases.total);
}

void check_counts(const Row& row) {
  const Exchange& exchange = row.exchange;
  require(exchange.number != 0 && row.connection.number != 0);
  require(exchange.first_packet != 0 && exchange.first_packet <= exchange.last_packet);
  require(exchange.request.body_bytes <= exchange.request.bytes);
  require(exchange.response.body_bytes <= exchange.response.bytes);
  require(exchange.status == Exchange::kNoStatus || (exchange.status >= 0 && exchange.status <= 999));
  std::uint64_t reached = 0;
  for (const Step& step : exchange.steps) {
    require(step.reached >= reached);
    reached = step.reached;
  }
}

/// `line` without its columns `capture`, `first_packet` and `last_packet`.
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

Rows::Rows(const Wanted& wanted, Format also)
    : output_(text_buffer()),
      spare_(spare_buffer()),
      ndjson_(make_sink(Format::ndjson, output_, wanted)),
      also_(also != Format::ndjson ? make_sink(also, spare_, wanted) : nullptr) {}

void Rows::write(const Row& row) {
  check_times(row);
  check_counts(row);
  const std::size_t begin = output_.text().size();
  ndjson_->write(row);
  check_line(begin);
  if (also_ != nullptr) also_->write(row);
}

void Rows::write_connection(const ConnectionRow& row) {
  require(duration_of(row.connection) >= 0);
  require(row.connection.first_packet <= row.connection.last_packet);
  const std::size_t begin = output_.text().size();
  ndjson_->write_connection(row);
  check_line(begin);
  if (also_ != nullptr) also_->write_connection(row);
}

void Rows::check_line(std::size_t begin) {
  const std::string_view line = output_.text().substr(begin);
  require(line.size() > 1 && line.find('\n') == line.size() - 1);
  require(test::is_json(line));
}

std::string Rows::placeless() const {
  std::string all;
  for (std::string_view rest = text(); !rest.empty();) {
    const std::size_t end = rest.find('\n') + 1;
    all += without_places(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return all;
}

}  // namespace wirelap::fuzz
