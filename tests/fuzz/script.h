// A conversation as a list of steps, and what all protocols' targets do with it.
//
// A step is 4 bytes and its content: bits (Step), the time since the step
// before, and the content's length, little-endian.
#pragma once

#include "app/http1/head.h"
#include "engine.h"
#include "fuzz/pieces.h"
#include "support/guarded.h"

namespace wirelap::fuzz {

/// What the bits of a step say.
enum Step : std::uint8_t {
  kFromServer = 1,
  kLost = 2,      ///< the capture does not hold it
  kEnds = 4,      ///< with FIN
  kResets = 8,    ///< RST
  kSnapped = 16,  ///< the second half of it was not captured
  kBlind = 32,    ///< it acknowledges nothing new
};

inline Pieces take_script(Bytes input) { return take_apart(input, kScriptLayout); }
inline Direction direction_of(const Piece& step) {
  return (step.header[0] & kFromServer) != 0 ? Direction::to_client : Direction::to_server;
}

/// Plays the script to the engine as a TCP connection, and holds its records
/// against what must be true of them. Where no byte was in doubt, segments in
/// two give the same messages as in one.
void play(const Pieces& script, const EngineOptions& options);

/// Feeds the steps' bytes, those of `direction`, to a parser: whole, and in two. Each
/// ends at a page that cannot be read. `Log` has feed(Bytes), skip(count) and
/// is_over(), true from where on splits may make a difference; it compares.
template <class Log>
Log parse(const Pieces& script, Direction direction, bool in_two) {
  static test::GuardedBuffer guarded;
  Log log(direction);
  for (const Piece& step : script.all) {
    if (direction_of(step) != direction || step.bytes.empty() || log.is_over()) continue;
    const Bytes bytes = step.bytes;
    const bool snapped = (step.header[0] & kSnapped) != 0;
    const std::size_t held = (step.header[0] & kLost) != 0 ? 0 : snapped ? bytes.size() / 2 : bytes.size();
    const std::size_t cut = in_two ? held * (step.header[1] + std::size_t{1}) / 256 : held;
    for (const Bytes part : {bytes.first(cut), bytes.first(held).subspan(cut)}) {
      if (!part.empty() && !log.is_over()) log.feed(guarded.hold(part));
    }
    if (held < bytes.size() && !log.is_over()) log.skip(bytes.size() - held);
  }
  return log;
}

/// The same for both roles; the logs of both ways have to be the same.
template <class Log>
void check_parser(const Pieces& script) {
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    require(parse<Log>(script, direction, false) == parse<Log>(script, direction, true));
  }
}

}  // namespace wirelap::fuzz
