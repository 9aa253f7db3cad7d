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

/// `duration` in units of `unit`, rounded to three significant digits: 2, 1 or 0 decimals.
std::string three_digits(Nanos duration, Nanos unit) {
  int decimals = 2;
  Nanos step = unit / 100;
  for (; decimals > 0 && (duration + step / 2) / step >= 1000; --decimals) step *= 10;
  std::string digits = std::to_string((duration + step / 2) / step);
  if (decimals > 0) digits.insert(digits.size() - static_cast<std::size_t>(decimals), 1, '.');
  return digits;
}

/// The largest cause with its share of the total: "server 84%".
std::string describe_cause(const Record& record) {
  if (record.cause.empty()) return "-";
  Nanos largest = 0;
  for (const auto cause : kCauseColumns) largest = std::max(largest, record.*cause);
  const double share = static_cast<double>(largest) / static_cast<double>(record.total);
  return std::string(record.cause) + " " + std::to_string(static_cast<int>(share * 100 + 0.5)) + "%";
}

std::string describe_endpoint(const IpAddress& address, std::uint64_t port) {
  Output text(-1);
  const bool is_ipv6 = address.version == 6;
  if (is_ipv6) text.put('[');
  put_address(text, address.address, address.version);
  if (is_ipv6) text.put(']');
  text.put(':');
  text.put_integer(port);
  return std::string(text.text());
}

/// Method, host and target in at most `width` columns. The outcome is in front of them where it is not complete; the
/// host is left out where not everything fits.
std::string describe_request(const Record& record, std::size_t width) {
  std::string start;
  if (record.outcome != "complete") start = "[" + std::string(record.outcome) + "] ";
  const bool is_tls = record.protocol == "tls";
  if (is_tls || record.protocol == "tcp") {
    const std::string server = record.host.empty() ? describe_endpoint(record.server, record.server_port) : record.host;
    return fit_text(start + (is_tls ? "TLS " : "TCP ") + server, width);
  }
  const bool is_tunnel = record.protocol == "websocket" || record.protocol == "tunnel";
  if (record.method.empty() && !is_tunnel) return start + "(not captured)";
  start += (is_tunnel ? std::string(record.protocol) : record.method) + " ";
  // A target in absolute form (RFC 9112, section 3.2.2) contains the host.
  const bool wants_host = record.target.starts_with('/');
  const bool fits = start.size() + record.host.size() + record.target.size() <= width;
  if (wants_host && fits) start.append(record.host);
  return fit_text(start.append(record.target), width);
}

std::string describe_count(std::uint64_t count, const char* singular, const char* plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

/// The two ends, how and when the connection ended, and what the lines of its exchanges do not contain.
std::string describe_connection(const Record& record) {
  std::string text = describe_endpoint(record.client, record.client_port) + " > " +
                     describe_endpoint(record.server, record.server_port) + " " + std::string(record.ending);
  if (!record.ended_by.empty()) text += " by " + std::string(record.ended_by);
  text += " after " + short_duration(record.duration);
  text += ", " + describe_count(record.exchanges, "exchange", "exchanges");
  if (record.rtt != kUnknownTime) text += ", rtt " + short_duration(record.rtt);
  if (record.lost_packets != 0) text += ", " + std::to_string(record.lost_packets) + " lost";
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

void TableWriter::put_cell(std::string_view text, std::size_t width, const char* style) {
  for (std::size_t i = text.size(); i < width; ++i) output_.put(' ');
  if (style_.colour) output_.put(style);
  output_.put(text);
  if (style_.colour && *style != 0) output_.put("\x1b[0m");
  output_.put(' ');
}

void TableWriter::put_phase(Nanos duration, bool largest) {
  put_cell(short_duration(duration), 6, largest && duration > 0 ? kBold : "");
}

void TableWriter::put_header() {
  if (has_header_) return;
  has_header_ = true;
  if (style_.colour) output_.put(kBold);
  output_.put("     #   CONN   SEND   WAIT   RECV  TOTAL SPENT ON        BYTES  ST REQUEST");
  if (style_.colour) output_.put("\x1b[0m");
  output_.end_line();
}

void TableWriter::write(const Record& record) {
  put_header();
  record.type == RecordType::exchange ? put_exchange(record) : put_connection(record);
}

void TableWriter::put_exchange(const Record& record) {
  const Nanos handshakes =
      record.connect == kUnknownTime ? record.tls : record.connect + std::max<Nanos>(record.tls, 0);
  const Nanos largest = std::max({handshakes, record.send, record.wait, record.receive});
  const std::string number = std::to_string(record.connection) + "." + std::to_string(record.exchange);
  put_cell(number, kNumberWidth);
  for (const Nanos phase : {handshakes, record.send, record.wait, record.receive}) {
    put_phase(phase, phase == largest);
  }
  put_phase(record.total, false);
  std::string cause = describe_cause(record);
  cause.resize(std::max<std::size_t>(cause.size(), kCauseWidth), ' ');
  put_cell(cause, kCauseWidth);
  put_cell(short_bytes(record.response_bytes), 5);
  const std::uint64_t status = record.status.value_or(0);
  put_cell(record.status ? std::to_string(status) : "-", 3, status >= 500 ? kRed : status >= 400 ? kYellow : "");
  constexpr std::size_t kAfterNumber = 1 + 5 * 7 + kCauseWidth + 1 + 6 + 4;
  const std::size_t used = std::max(number.size(), kNumberWidth) + kAfterNumber;
  const bool bad = record.outcome != "complete";
  const std::string request = describe_request(record, style_.columns - used);
  if (style_.colour && bad) output_.put(kRed);
  output_.put(request);
  if (style_.colour && bad) output_.put("\x1b[0m");
  output_.end_line();
}

void TableWriter::put_connection(const Record& record) {
  const std::string number = std::to_string(record.connection);
  put_cell(number, kNumberWidth);
  const std::size_t used = std::max(number.size(), kNumberWidth) + 1;
  output_.put(fit_text(describe_connection(record), style_.columns - used));
  output_.end_line();
}

void TableWriter::finish() {
  if (has_header_) return;
  output_.put("no HTTP exchange found");
  output_.end_line();
}

}  // namespace wirelap
