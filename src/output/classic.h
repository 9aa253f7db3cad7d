// report: the output of wirelap's forerunner, for scripts that read it.
//
// In: IPv4 TCP segments, straight from decoding: the forerunner looked at
// packets, not at messages. Out: one JSON array a capture. As connections stand
// in the order of their first packets, the results are held until the end.
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

/// Works out one capture.
class Classic {
 public:
  /// `ports`: the servers'.
  explicit Classic(std::vector<std::uint16_t> ports) : ports_(std::move(ports)) {}

  /// Takes the next segment; what is not IPv4 with a server's port is passed over.
  void take(const Segment& segment);

  /// Writes the array, as Python's json.dumps(sort_keys=True, indent=2) does.
  void finish(Output& output);

 private:
  /// A server segment after the first of its piece.
  struct Step {
    std::int64_t micros;  // since the one before
    std::uint32_t reached;
    std::uint8_t flags;  // bits, in the order of kFlagNames
  };
  /// What a piece prints.
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
    std::int64_t last = 0;   // of the server segment counted last
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
  void take_server(State& state, const Segment& segment);
  void take_response(State& state, const Segment& segment);
  static void put(Output& output, const Result& result);

  std::vector<std::uint16_t> ports_;
  std::unordered_map<FlowKey, State*, KeyHash> current_{16, KeyHash{make_hash_secret()}};
  std::deque<State> connections_;  // in the order of their first packets
};

/// Seconds, `micros` / 1e6, as Python's repr writes that double: the shortest digits
/// that read back the same. `micros`: the difference of two times of captures.
std::string python_seconds(std::int64_t micros);

}  // namespace wirelap
