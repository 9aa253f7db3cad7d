#include "output/summary.h"

#include "output/table.h"

namespace wirelap {
namespace {

/// "1 packet", "2 packets".
std::string counted(std::uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string describe_evicted(const Summary& summary) {
  if (summary.evicted_connections == 0 && summary.evicted_exchanges == 0) return {};
  return "given up for want of memory: " + counted(summary.evicted_connections, "connection") + " (see --memory), " +
         counted(summary.evicted_exchanges, "exchange") + " reported as evicted";
}

std::vector<std::string> describe(const Summary& summary) {
  const DecodeCounts& decoded = summary.decoded;
  std::vector<std::string> lines;
  lines.push_back(counted(decoded.records, "packet") + ", " + std::to_string(decoded.segments()) + " of TCP in " +
                  counted(summary.connections, "connection") + ", " + counted(summary.exchanges, "exchange"));
  if (summary.unanswered != 0) {
    lines.push_back(counted(summary.unanswered, "connection") +
                    " refused or never answered: --connections tells of each");
  }
  for (const DecodeErrorCounts::Count& count : decoded.errors.sorted()) {
    lines.push_back("passed over " + std::to_string(count.records) + ": " +
                    decode_error_text(count.error, count.detail));
  }
  if (summary.holes != 0) {
    lines.push_back("missing: " + counted(summary.hole_bytes, "byte") + " in " + counted(summary.holes, "hole") +
                    ", which their receivers have and the capture has not");
  }
  if (summary.duplicates != 0) {
    lines.push_back(counted(summary.duplicates, "packet") + " captured more than once: not counted as sent again");
  }
  if (decoded.truncated != 0) lines.push_back(counted(decoded.truncated, "packet") + " cut by the capture's snaplen");
  if (decoded.large != 0) {
    lines.push_back(counted(decoded.large, "packet") +
                    " larger than the wire carries (segmentation offload) or jumbo: losses inside are not seen");
  }
  if (summary.steps_back != 0) {
    lines.push_back("the clock went back " + counted(summary.steps_back, "time") + ", by up to " +
                    short_duration(summary.largest_step_back) + ": durations across that are 0, or too long");
  }
  if (summary.undated != 0) lines.push_back(counted(summary.undated, "packet") + " from a clock that was not set");
  return lines;
}

}  // namespace wirelap
