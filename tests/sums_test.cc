// On every fixture, at both ends of every scenario: no time is negative, and
// phases and causes add up to the total to the last digit.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "engine.h"

namespace wirelap {
namespace {

namespace fs = std::filesystem;

class Adder : public Sink {
 public:
  void write(const Row& row) override {
    ++rows;
    const Exchange& exchange = row.exchange;
    const Phases phases = measure_phases(exchange, row.connection.handshake);
    Nanos sum = 0;
    for (const Nanos phase : {phases.connect, phases.tls, phases.send, phases.wait, phases.receive}) {
      if (phase == kUnknownTime) continue;
      CHECK(phase >= 0);
      sum += phase;
    }
    CHECK(sum == phases.total);
    CHECK((exchange.idle >= 0 || exchange.idle == kUnknownTime));
    CHECK(exchange.max_gap >= 0);
    CHECK(exchange.tcp.truly_lost() <= exchange.tcp.packets + exchange.tcp.lost);
    if (!exchange.attributed) return;
    const CauseTimes spent = measure_causes(exchange, row.connection.handshake, phases);
    for (const Nanos part : spent.by) CHECK(part >= 0);
    CHECK(spent.total() == phases.total);
  }

  int rows = 0;
};

TEST_CASE("times add up on every fixture and scenario") {
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
    CHECK(adder.rows > 0);
    ++captures;
  }
  CHECK(captures > 100);
}

}  // namespace
}  // namespace wirelap
