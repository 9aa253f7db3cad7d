// The stages, wired: the file to read first.
//
//   bytes -> record (capture/) -> segment (wire/) -> stream bytes (flow/)
//         -> messages and exchanges (http/, tls/, tcp/) -> row (report/)
//
// In: a capture's Input. Out: rows to a Sink, each as soon as its exchange has
// ended. Nothing here prints, exits or throws, and nothing is global: two
// engines can run in two threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/input.h"
#include "flow/tracker.h"
#include "http/conversation.h"
#include "report/sink.h"
#include "wire/decoder.h"

namespace wirelap {

/// What an engine reads for.
struct EngineOptions {
  std::vector<std::uint16_t> ports;  ///< servers' ports; empty: told from the traffic
  http::Wanted wanted{};             ///< what rows have beside the usual columns
  bool tcp = false;                  ///< turns of protocols that are not known, too
};

/// Reads captures and reports their exchanges.
class Engine {
 public:
  /// `sink` outlives the engine.
  Engine(EngineOptions options, Sink& sink) : options_(std::move(options)), sink_(sink) {}

  /// Reads one capture to its end. Connections end with it; their numbers go on
  /// in the next. Returns what stopped it before a good end, after all that came
  /// before has been reported.
  std::optional<Fault> run(Input& input, const std::string& name);

  /// What became of the records of the capture read last.
  const DecodeCounts& counts() const { return counts_; }

 private:
  /// Takes what the tracker finds and hands it to the conversations. Its members
  /// are what flow/tracker.h asks of a consumer.
  class Dispatcher;

  EngineOptions options_;
  Sink& sink_;
  std::uint64_t connections_ = 0;  // of the captures before
  DecodeCounts counts_;            // of the last one
};

/// Reads one capture for --format classic and writes its array to `output`.
/// `ports`: the servers'; empty: 80.
std::optional<Fault> run_classic(Input& input, const std::string& name, std::vector<std::uint16_t> ports,
                                 Output& output);

}  // namespace wirelap
