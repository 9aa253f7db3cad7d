#include "output/progress.h"

#include <algorithm>

#include "output/table.h"

namespace wirelap {

std::string describe_progress(std::uint64_t done, std::uint64_t total, Nanos elapsed, std::size_t columns) {
  constexpr std::size_t kRoomForNumbers = 32;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const double seconds = std::max(1e-9, static_cast<double>(elapsed) / kNanosPerSecond);
  const double rate = static_cast<double>(done) / seconds;
  const double left = static_cast<double>(total - std::min(done, total)) / rate;
  const std::size_t width = std::clamp<std::size_t>(columns, kRoomForNumbers + 8, 80) - kRoomForNumbers;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  std::string percent = std::to_string(static_cast<int>(share * 100));
  percent.insert(0, 3 - std::min<std::size_t>(3, percent.size()), ' ');
  return "[" + std::string(full, '#') + std::string(width - full, ' ') + "] " + percent + "% " +
         short_bytes(static_cast<std::uint64_t>(rate)) + "/s, " +
         short_duration(static_cast<Nanos>(left * kNanosPerSecond)) + " left";
}

}  // namespace wirelap
