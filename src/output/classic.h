// output: the output of wirelap's predecessor, for scripts that read it.
//
// In: IPv4 TCP segments as they are decoded: the predecessor examined packets, not messages. Out: one JSON array for a
// capture. Its order is that of the connections' first packets, so that all results are kept until the end.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/output.h"
#include "flow/key.h"
#include "wire/decode.h"

namespace wirelap {

/// Processes one capture.
class Classic {
 public:
  /// `ports`: the ports of the servers.
  explicit Classic(std::vector<std::uint16_t> ports) : ports_(std::move(ports)) {}

  /// Processes the next segment. Ignores it unless it is IPv4 and one of its ports is a server's.
  void process(const Segment& segment);

  /// Writes the array, as Python's json.dumps(sort_keys=True, indent=2) does.
  void finish(Output& output);

 private:
  /// A segment of the server, after the first one of its piece.
  struct Step {
    std::int64_t micros;  // since the one before
    std::uint32_t reached;
    std::uint8_t flags;  // bits, in the order of kFlagNames
  };
  /// What is written for a piece.
  struct Result {
    bool is_syn;
    std::uint32_t address;  // of a SYN's destination
    std::int64_t syn_rtt;   // all times in microseconds
    std::int64_t start, finish;
    std::uint32_t bytes;
    std::vector<Step> steps;
  };
  enum class Piece : std::uint8_t { other, syn, get, response };
  struct State {
    bool open = false;
    Piece piece = Piece::other;
    std::int64_t began = 0;  // time of the piece's first packet
    std::int64_t last = 0;   // time of the server segment that was counted last
    std::uint32_t base = 0;  // sequence number of the response's first byte
    std::uint16_t last_id = 0;
    bool last_short = false;
    std::optional<std::uint32_t> syn_sequence[2];
    std::uint32_t destination = 0;
    std::vector<Result> results;
  };
  struct KeyHash {
    HashSecret secret;
    std::size_t operator()(const FlowKey& key) const { return hash_flow_key(key, secret); }
  };

  bool is_server_port(std::uint16_t port) const;
  State& state_of(const Segment& segment, Side& sender);
  void begin_piece(State& state, const Segment& segment, bool request);
  void process_server(State& state, const Segment& segment);
  void process_response(State& state, const Segment& segment);
  static void put(Output& output, const Result& result);

  std::vector<std::uint16_t> ports_;
  std::unordered_map<FlowKey, State*, KeyHash> current_{16, KeyHash{make_hash_secret()}};
  std::deque<State> connections_;  // in the order of their first packets
};

/// `micros` / 1e6 as Python's repr writes that double: with the fewest digits that are read as the same number.
/// `micros` is the difference of two times in captures.
std::string python_seconds(std::int64_t micros);

}  // namespace wirelap
