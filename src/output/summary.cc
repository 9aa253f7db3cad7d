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
  return "evicted to free memory: " + counted(summary.evicted_connections, "connection") + " (see --memory), " +
         counted(summary.evicted_exchanges, "exchange");
}

std::vector<std::string> describe(const Summary& summary) {
  const DecodeCounts& decoded = summary.decoded;
  std::vector<std::string> lines;
  lines.push_back(counted(decoded.records, "packet") + ", " + std::to_string(decoded.segments()) + " of TCP in " +
                  counted(summary.connections, "connection") + ", " + counted(summary.exchanges, "exchange"));
  if (summary.unanswered != 0) {
    lines.push_back(counted(summary.unanswered, "connection") + " refused or not answered: --connections reports each");
  }
  for (const DecodeErrorCounts::Count& count : decoded.errors.sorted()) {
    lines.push_back(counted(count.records, "packet") + " skipped: " + decode_error_text(count.error, count.detail));
  }
  if (summary.gaps != 0) {
    lines.push_back(counted(summary.missing_bytes, "byte") + " in " + counted(summary.gaps, "sequence gap") +
                    " not captured, but received: acknowledgments show it");
  }
  if (summary.duplicates != 0) {
    lines.push_back(counted(summary.duplicates, "packet") +
                    " captured more than once: the copies are not counted as retransmissions");
  }
  if (decoded.truncated != 0) {
    lines.push_back(counted(decoded.truncated, "packet") + " truncated by the snaplen of the capture");
  }
  if (decoded.large != 0) {
    lines.push_back(
        counted(decoded.large, "packet") +
        " larger than a frame on the wire (segmentation offload, or jumbo frames): losses inside are not visible");
  }
  if (summary.steps_back != 0) {
    lines.push_back("the clock went back " + counted(summary.steps_back, "time") + ", by up to " +
                    short_duration(summary.largest_step_back) + ": durations across such a step are 0, or too long");
  }
  if (summary.undated != 0)
    lines.push_back(counted(summary.undated, "packet") + " from before 1990: the clock was not set");
  return lines;
}

}  // namespace wirelap
