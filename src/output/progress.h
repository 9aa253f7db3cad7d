// output: the progress line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace wirelap {

/// A bar, the part that was read in percent, the rate and the time left: "[#####     ]  50% 1.2G/s, 3.00s left". It has
/// at most `columns` columns, and `columns` is at least 40. `done` of `total` bytes were read in the time `elapsed`;
/// neither is 0.
std::string describe_progress(std::uint64_t done, std::uint64_t total, Nanos elapsed, std::size_t columns);

}  // namespace wirelap
