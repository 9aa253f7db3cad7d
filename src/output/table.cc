#include "output/table.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "output/escape.h"

namespace wirelap {
namespace {

constexpr std::size_t kNumberWidth = 6;
constexpr std::size_t kCauseWidth = sizeof "ack_delay 100%" - 1;
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kRed = "\x1b[31m";
constexpr const char* kYellow = "\x1b[33m";

/// `duration` in `unit` with three significant digits, rounded: with 2, 1 or 0 decimals.
std::string three_digits(Nanos duration, Nanos unit) {
  int decimals = 2;
  Nanos step = unit / 100;
  for (; decimals > 0 && (duration + step / 2) / step >= 1000; --decimals) step *= 10;
  std::string digits = std::to_string((duration + step / 2) / step);
  if (decimals > 0) digits.insert(digits.size() - static_cast<std::size_t>(decimals), 1, '.');
  return digits;
}

/// The largest cause with its share of the total: "server 84%".
std::string describe_cause(const Exchange& exchange, const Handshake& handshake, const Phases& phases) {
  if (!exchange.attributed || phases.total <= 0) return "-";
  const CauseTimes spent = measure_causes(exchange, handshake, phases);
  const Cause cause = largest_cause(spent);
  const double share = static_cast<double>(spent.by[cause]) / static_cast<double>(phases.total);
  return std::string(name_of(cause)) + " " + std::to_string(static_cast<int>(share * 100 + 0.5)) + "%";
}

/// Address and port.
std::string describe_endpoint(const FlowKey& key, Side side) {
  Output text(-1);
  const bool is_ipv6 = key.tag >> 26 != 0;
  if (is_ipv6) text.put('[');
  put_address(text, key.addresses[index(side)], is_ipv6 ? 6 : 4);
  if (is_ipv6) text.put(']');
  text.put(':');
  text.put_integer(key.ports[index(side)]);
  return std::string(text.text());
}

/// Method, host and target in at most `width` columns, with the outcome before
/// them where it is a bad one. The host goes first where all does not fit.
std::string describe_request(const Row& row, std::size_t width) {
  const Exchange& exchange = row.exchange;
  std::string start;
  if (exchange.outcome != Outcome::complete) start = "[" + std::string(name_of(exchange.outcome)) + "] ";
  const bool is_tls = exchange.encrypted;
  if (is_tls || exchange.protocol == "tcp") {
    const std::string server =
        exchange.host.empty() ? describe_endpoint(row.connection.key, other(row.connection.client)) : exchange.host;
    return fit_text(start + (is_tls ? "TLS " : "TCP ") + server, width);
  }
  const bool is_tunnel = exchange.protocol == "websocket" || exchange.protocol == "tunnel";
  if (exchange.method.empty() && !is_tunnel) return start + "(not captured)";
  start += (is_tunnel ? std::string(exchange.protocol) : exchange.method) + " ";
  // An absolute target (RFC 9112, section 3.2.2) names the host itself.
  const bool wants_host = exchange.target.starts_with('/');
  const bool fits = start.size() + exchange.host.size() + exchange.target.size() <= width;
  if (wants_host && fits) start.append(exchange.host);
  return fit_text(start.append(exchange.target), width);
}

std::string describe_count(std::uint64_t count, const char* singular, const char* plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

/// Who with whom, how it ended, and what an exchange's line does not say.
std::string describe_connection(const ConnectionRow& row) {
  const Connection& connection = row.connection;
  const Handshake& handshake = connection.handshake;
  std::string text = describe_endpoint(connection.key, row.client) + " > " +
                     describe_endpoint(connection.key, other(row.client)) + " " +
                     std::string(name_of_ending(connection));
  if (connection.has_ender) text += connection.ender == row.client ? " by client" : " by server";
  text += " after " + short_duration(duration_of(connection));
  text += ", " + describe_count(connection.exchanges, "exchange", "exchanges");
  const Nanos server_rtt = handshake.server_rtt(), client_rtt = handshake.client_rtt();
  if (server_rtt != kUnknownTime && client_rtt != kUnknownTime)
    text += ", rtt " + short_duration(server_rtt + client_rtt);
  if (connection.counts.truly_lost() != 0) text += ", " + std::to_string(connection.counts.truly_lost()) + " lost";
  return text;
}

}  // namespace

std::string short_duration(Nanos duration) {
  if (duration == kUnknownTime) return "-";
  if (duration == 0) return "0";
  if (duration < 999'500) return std::to_string((duration + 500) / 1000) + "us";
  if (duration < 999'500'000) return three_digits(duration, kNanosPerSecond / 1000) + "ms";
  if (duration < 99'950'000'000) return three_digits(duration, kNanosPerSecond) + "s";
  const auto whole = static_cast<unsigned long long>((duration - kNanosPerSecond / 2) / kNanosPerSecond + 1);
  char text[48];
  if (whole < 6000) {
    std::snprintf(text, sizeof text, "%llum%02llus", whole / 60, whole % 60);
  } else if (whole < 360000) {
    std::snprintf(text, sizeof text, "%lluh%02llum", whole / 3600, whole / 60 % 60);
  } else {
    std::snprintf(text, sizeof text, "%llud", whole / 86400);
  }
  return text;
}

std::string short_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes);
  double scaled = static_cast<double>(bytes);
  const char* unit = "kMGTPE";
  for (scaled /= 1000; scaled >= 999.5 && unit[1] != 0; ++unit) scaled /= 1000;
  char text[16];
  std::snprintf(text, sizeof text, scaled < 9.95 ? "%.1f%c" : "%.0f%c", scaled, *unit);
  return text;
}

void TableSink::put_cell(std::string_view text, std::size_t width, const char* style) {
  for (std::size_t i = text.size(); i < width; ++i) output_.put(' ');
  if (style_.colour) output_.put(style);
  output_.put(text);
  if (style_.colour && *style != 0) output_.put("\x1b[0m");
  output_.put(' ');
}

void TableSink::put_phase(Nanos duration, bool largest) {
  put_cell(short_duration(duration), 6, largest && duration > 0 ? kBold : "");
}

void TableSink::put_header() {
  if (has_header_) return;
  has_header_ = true;
  if (style_.colour) output_.put(kBold);
  output_.put("     #   CONN   SEND   WAIT   RECV  TOTAL SPENT ON        BYTES  ST REQUEST");
  if (style_.colour) output_.put("\x1b[0m");
  output_.end_line();
}

void TableSink::write(const Row& row) {
  put_header();
  const Exchange& exchange = row.exchange;
  const Phases phases = measure_phases(exchange, row.connection.handshake);
  const Nanos handshakes =
      phases.connect == kUnknownTime ? phases.tls : phases.connect + std::max<Nanos>(phases.tls, 0);
  const Nanos largest = std::max({handshakes, phases.send, phases.wait, phases.receive});
  const std::string number = std::to_string(row.connection.number) + "." + std::to_string(exchange.number);
  put_cell(number, kNumberWidth);
  for (const Nanos phase : {handshakes, phases.send, phases.wait, phases.receive}) {
    put_phase(phase, phase == largest);
  }
  put_phase(phases.total, false);
  std::string cause = describe_cause(exchange, row.connection.handshake, phases);
  cause.resize(std::max<std::size_t>(cause.size(), kCauseWidth), ' ');
  put_cell(cause, kCauseWidth);
  put_cell(short_bytes(exchange.response.bytes), 5);
  const char* const style = exchange.status >= 500 ? kRed : exchange.status >= 400 ? kYellow : "";
  put_cell(exchange.status == Exchange::kNoStatus ? "-" : std::to_string(exchange.status), 3, style);
  constexpr std::size_t kAfterNumber = 1 + 5 * 7 + kCauseWidth + 1 + 6 + 4;
  const std::size_t used = std::max(number.size(), kNumberWidth) + kAfterNumber;
  const bool bad = exchange.outcome != Outcome::complete;
  const std::string request = describe_request(row, style_.columns - used);
  if (style_.colour && bad) output_.put(kRed);
  output_.put(request);
  if (style_.colour && bad) output_.put("\x1b[0m");
  output_.end_line();
}

void TableSink::write_connection(const ConnectionRow& row) {
  put_header();
  const std::string number = std::to_string(row.connection.number);
  put_cell(number, kNumberWidth);
  const std::size_t used = std::max(number.size(), kNumberWidth) + 1;
  output_.put(fit_text(describe_connection(row), style_.columns - used));
  output_.end_line();
}

void TableSink::finish() {
  if (has_header_) return;
  output_.put("no HTTP exchange found");
  output_.end_line();
}

}  // namespace wirelap
