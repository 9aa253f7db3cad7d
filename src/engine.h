// The stages, connected. Read this file first, then dispatcher.h.
//
//   bytes -> packet record (capture/) -> segment (wire/) -> stream data (flow/)
//         -> cause times (timing/) -> messages (app/) -> exchanges (exchange/)
//         -> Record (record/) -> outputs (output/)
//
// In: a capture's Input. Out: Records to a RecordWriter, each as soon as its
// exchange has ended. The engine never prints, exits or throws, and has no global
// state: two engines can run in two threads.
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

/// What an engine looks for, and what it may use.
struct EngineOptions {
  std::vector<std::uint16_t> ports;                   ///< servers' ports; empty: all
  Wanted wanted{};                                    ///< what records have beside the usual columns
  bool tcp = false;                                   ///< also report turns of unknown protocols
  bool join = false;                                  ///< the captures are consecutive pieces of one
  std::size_t memory_bytes = std::size_t{256} << 20;  ///< limit for connections; past it some are given up
};

/// Reads captures and reports their exchanges.
class Engine {
 public:
  /// The least memory limit, in bytes. With less there is hardly room for a connection.
  static constexpr std::size_t kLeastMemory = std::size_t{512} << 10;

  /// `writer` outlives the engine.
  Engine(EngineOptions options, RecordWriter& writer);
  ~Engine();

  /// Reads one capture to its end. Its connections end with it, unless captures are joined. Connection numbers continue
  /// in the next capture. Returns the error that ended the capture early. All packets before it have been processed.
  std::optional<Error> run(Input& input, const std::string& name);

  /// run() in steps, for bytes that the caller passes to the Input (see Input): begin(), then read_on() each time that
  /// there are more bytes, then end(). `input` outlives them.
  void begin(Input& input, const std::string& name);
  /// Processes all whole packet records that are there. Returns false where the capture cannot be read further.
  bool read_on();
  std::optional<Error> end();

  /// Ends the connections of joined captures, after the last piece.
  void finish();

  /// Whether the latest capture begins before the end of the capture before it.
  bool is_out_of_order() const { return out_of_order_; }

  /// The counts of all captures so far.
  Summary summary() const;

  /// The memory of connections.
  const Memory& memory() const { return memory_; }

 private:
  /// The captures that share connections: one, or all joined ones.
  struct Session;
  /// The capture that is being read.
  struct Reading;

  bool start();
  void record_step_back(const PacketRecord& record);

  EngineOptions options_;
  RecordWriter& writer_;
  Memory memory_;
  std::unique_ptr<Session> session_;
  Decoder decoder_;
  std::unique_ptr<Reading> reading_;  // between begin() and end()
  Summary summary_;                   // without the decoder's counts
  Nanos last_time_ = kUndated;        // of a packet
  bool out_of_order_ = false;

  static constexpr Nanos kUndated =
      631'152'000 * kNanosPerSecond;  // 1990-01-01; an earlier time shows a clock that was not set
};

/// Reads one capture for --format classic and writes its array to `output`.
/// `ports`: the servers'; empty: 80.
std::optional<Error> run_classic(Input& input, const std::string& name, std::vector<std::uint16_t> ports,
                                 Output& output);

}  // namespace wirelap
