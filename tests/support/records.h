// Collects the records of a run, and runs the engine over captures in memory.
#pragma once

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "engine.h"
#include "output/json.h"
#include "support/packets.h"

namespace wirelap::test {

/// Keeps every record, in the order in which they are written.
class Records : public RecordWriter {
 public:
  void write(const Record& record) override {
    (record.type == RecordType::exchange ? exchanges : connections).push_back(record);
  }
  /// Puts the exchanges in the order of their numbers.
  void sort() {
    std::sort(exchanges.begin(), exchanges.end(), [](const Record& a, const Record& b) {
      return std::tie(a.connection, a.exchange) < std::tie(b.connection, b.exchange);
    });
  }

  std::vector<Record> exchanges, connections;
};

/// Checks that no time of an exchange is negative, and that its phases and, where they are known, its causes sum to the
/// total.
inline void check_times(const Record& record) {
  const auto sum_of = [&](const auto& columns, bool may_be_unknown) {
    Nanos sum = 0;
    for (const auto column : columns) {
      const Nanos time = record.*column;
      CHECK((time >= 0 || (may_be_unknown && time == kUnknownTime)));
      if (time != kUnknownTime) sum += time;
    }
    return sum;
  };
  CHECK(sum_of(kPhaseColumns, true) == record.total);
  CHECK((record.idle >= 0 || record.idle == kUnknownTime));
  CHECK(record.max_gap >= 0);
  if (record.network != kUnknownTime) CHECK(sum_of(kCauseColumns, false) == record.total);
}

/// The value of `column` as JSON has it, without quotes. For texts without quotes and commas.
inline std::string text_of(const Record& record, const std::string& column) {
  Output output(-1);
  put_json(output, record);
  const std::string text(output.text());
  const std::size_t name = text.find("\"" + column + "\":");
  REQUIRE(name != std::string::npos);
  const std::size_t begin = name + column.size() + 3;
  std::string value = text.substr(begin, text.find_first_of(",}", begin) - begin);
  value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
  return value;
}

/// The values of `columns`, with a space between two.
inline std::string shown(const Record& record, const std::vector<std::string>& columns) {
  std::string all;
  for (const std::string& column : columns) all += (all.empty() ? "" : " ") + text_of(record, column);
  return all;
}

/// Runs `engine` over a capture file with these bytes. Returns the error that ended the reading.
inline std::optional<Error> run_bytes(Engine& engine, Bytes capture) {
  const int fd = ::memfd_create("capture", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, capture.data(), capture.size()) == static_cast<ssize_t>(capture.size()));
  REQUIRE(::lseek(fd, 0, SEEK_SET) == 0);
  Input input({});
  input.attach(fd);
  std::optional<Error> error = engine.run(input, "test");
  ::close(fd);
  return error;
}

/// The exchanges of a capture file with these bytes, in the order in which they are written.
inline std::vector<Record> exchanges_of(Bytes capture, EngineOptions options = {}) {
  Records records;
  Engine engine(std::move(options), records);
  CHECK(!run_bytes(engine, capture));
  return std::move(records.exchanges);
}

}  // namespace wirelap::test
