// report: the word at the end: what a careful person wants to know before
// trusting the numbers.
//
// In: counts of a run. Out: lines of text, most weighty first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/decoder.h"

namespace wirelap {

/// What was seen in all captures of a run.
struct Summary {
  DecodeCounts decoded;  ///< records, and what kept those that are no segments from being one
  std::uint64_t connections = 0;
  std::uint64_t unanswered = 0;  ///< connections whose SYN nobody answered, or with a reset
  std::uint64_t exchanges = 0;   ///< reported
  std::uint64_t holes = 0;       ///< runs of bytes that were acknowledged and are not in the capture
  std::uint64_t hole_bytes = 0;
  std::uint64_t duplicates = 0;  ///< packets that the capture holds once more
  std::uint64_t steps_back = 0;  ///< records whose time is before that of the one before
  Nanos largest_step_back = 0;
  std::uint64_t evicted_connections = 0;  ///< given up for want of memory
  std::uint64_t evicted_exchanges = 0;    ///< reported as given up: theirs, or too many in one connection
  std::uint64_t undated = 0;              ///< records from before 1990: their clock was not set
};

/// What was given up, in a line without line end; empty: nothing. It is no part of the other lines.
std::string describe_evicted(const Summary& summary);

/// A line each, without line ends; the first counts packets, connections and exchanges.
std::vector<std::string> describe(const Summary& summary);

}  // namespace wirelap
