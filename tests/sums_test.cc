// Every fixture and every scenario, captured at either end: no time is negative, and phases and causes sum to the
// total.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "support/records.h"

namespace wirelap {
namespace {

namespace fs = std::filesystem;

class Adder : public RecordWriter {
 public:
  void write(const Record& record) override {
    ++count;
    test::check_times(record);
    CHECK(record.lost_packets <= record.packets + record.retransmitted_packets);
  }

  int count = 0;
};

TEST_CASE("record: phases and causes sum to the total in every fixture and scenario") {
  int captures = 0;
  for (const auto& entry : fs::recursive_directory_iterator("fixtures")) {
    if (entry.path().extension() != ".pcap") continue;
    CAPTURE(entry.path());
    Adder adder;
    Input input({});
    REQUIRE(input.open(entry.path()) == 0);
    EngineOptions options;
    options.tcp = true;
    Engine(options, adder).run(input, entry.path());
    CHECK(adder.count > 0);
    ++captures;
  }
  CHECK(captures > 100);
}

}  // namespace
}  // namespace wirelap
