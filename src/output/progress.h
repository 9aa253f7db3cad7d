// report: how far the reading of a file has come, as one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace wirelap {

/// A bar, the share in percent, the rate and the time left, in at most `columns`
/// (at least 40) columns: "[#####     ]  50% 1.2G/s, 3.00s left". `done` of
/// `total` bytes, neither 0, have been read in `elapsed`.
std::string describe_progress(std::uint64_t done, std::uint64_t total, Nanos elapsed, std::size_t columns);

}  // namespace wirelap
