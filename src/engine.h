// The stages, wired: the file to read first, with engine.cc.
//
//   bytes -> record (capture/) -> segment (wire/) -> stream bytes (flow/)
//         -> messages and exchanges (http/, h2/, tls/, tcp/) -> Record (record/)
//
// In: a capture's Input. Out: Records to a RecordWriter, each as soon as its exchange has
// ended. Nothing here prints, exits or throws, and nothing is global: two
// engines can run in two threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "capture/input.h"
#include "exchange/exchange.h"
#include "output/summary.h"
#include "output/writer.h"
#include "wire/decoder.h"

namespace wirelap {

/// What an engine reads for.
struct EngineOptions {
  std::vector<std::uint16_t> ports;                   ///< servers' ports; empty: told from the traffic
  Wanted wanted{};                                    ///< what records have beside the usual columns
  bool tcp = false;                                   ///< turns of protocols that are not known, too
  bool join = false;                                  ///< the captures are consecutive pieces of one
  std::size_t memory_bytes = std::size_t{256} << 20;  ///< most for connections: over it some are given up
};

/// Reads captures and reports their exchanges.
class Engine {
 public:
  /// With a lower limit of memory little but the engine itself would have room.
  static constexpr std::size_t kLeastMemory = std::size_t{512} << 10;

  /// `writer` outlives the engine.
  Engine(EngineOptions options, RecordWriter& writer);
  ~Engine();

  /// Reads one capture to its end. Connections end with it, unless captures are
  /// joined; their numbers go on in the next. Returns what stopped it before a
  /// good end, after all that came before has been reported.
  std::optional<Error> run(Input& input, const std::string& name);

  /// The same in steps, for bytes that come in from outside (`Input::look_at`):
  /// begin(), then read_on() each time that there are more, then end().
  /// `input` outlives them.
  void begin(Input& input, const std::string& name);
  /// Reads all records that are there. False where the capture cannot be read on.
  bool read_on();
  std::optional<Error> end();

  /// Ends the connections of joined captures: no piece follows.
  void finish();

  /// Whether the capture read last begins before the one before it ends.
  bool is_out_of_order() const { return out_of_order_; }

  /// What was seen in all captures so far.
  Summary summary() const;

  /// What connections are kept in.
  const Memory& memory() const { return memory_; }

 private:
  /// Takes what the tracker finds and hands it to the conversations. Its members
  /// are what flow/consumer.h says.
  class Dispatcher;
  /// The captures whose connections go on.
  struct Session;
  /// The capture that is read.
  struct Reading;

  bool start();
  void note_step_back(const PacketRecord& record);

  EngineOptions options_;
  RecordWriter& writer_;
  Memory memory_;
  std::unique_ptr<Session> session_;
  Decoder decoder_;
  std::unique_ptr<Reading> reading_;  // between begin() and end()
  Summary summary_;                   // but for what the decoder counts
  Nanos last_time_ = kUndated;        // of a record
  bool out_of_order_ = false;

  static constexpr Nanos kUndated = 631'152'000 * kNanosPerSecond;  // 1990-01-01: clocks before it were not set
};

/// Reads one capture for --format classic and writes its array to `output`.
/// `ports`: the servers'; empty: 80.
std::optional<Error> run_classic(Input& input, const std::string& name, std::vector<std::uint16_t> ports,
                                 Output& output);

}  // namespace wirelap
