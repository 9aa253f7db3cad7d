// output: the summary at the end of a run: what to know before trusting the numbers.
//
// In: counts of the run. Out: lines of text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/decoder.h"

namespace wirelap {

/// What was seen in all captures of a run.
struct Summary {
  DecodeCounts decoded;  ///< packets, and the reasons for which some were skipped
  std::uint64_t connections = 0;
  std::uint64_t unanswered = 0;     ///< connections whose SYN was not answered, or with a reset
  std::uint64_t exchanges = 0;      ///< with a record
  std::uint64_t gaps = 0;           ///< sequence gaps that were not captured, although the receiver acknowledged them
  std::uint64_t missing_bytes = 0;  ///< in these
  std::uint64_t duplicates = 0;     ///< packets that the capture contains another time
  std::uint64_t steps_back = 0;     ///< packets with an earlier time than the one before
  Nanos largest_step_back = 0;
  std::uint64_t evicted_connections = 0;  ///< to free memory
  std::uint64_t evicted_exchanges = 0;    ///< records with the outcome `evicted`: these connections', and others
  std::uint64_t undated = 0;              ///< packets from before 1990: the clock was not set
};

/// A line about what was evicted, without line end; empty where nothing was. describe() does not contain it.
std::string describe_evicted(const Summary& summary);

/// Lines without line ends, the most important first. The first one counts packets, connections and exchanges.
std::vector<std::string> describe(const Summary& summary);

}  // namespace wirelap
