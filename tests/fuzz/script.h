// fuzz: scripts, the segments of one connection as a list of steps, and the checks
// that the targets of all protocols share.
//
// A step has a header of 4 bytes and its content. The header has a byte of bits
// (Step), a byte for the time since the step before, and two bytes for the length of
// the content, little-endian.
#pragma once

#include "app/http1/head.h"
#include "engine.h"
#include "fuzz/pieces.h"
#include "support/guarded.h"

namespace wirelap::fuzz {

/// The bits of a step.
enum Step : std::uint8_t {
  kFromServer = 1,
  kLost = 2,      ///< it was not captured
  kEnds = 4,      ///< it has FIN
  kResets = 8,    ///< it has RST
  kSnapped = 16,  ///< its second half was not captured
  kBlind = 32,    ///< it acknowledges nothing new
};

inline Pieces split_script(Bytes input) { return split_pieces(input, kScriptLayout); }
inline Direction direction_of(const Piece& step) {
  return (step.header[0] & kFromServer) != 0 ? Direction::to_client : Direction::to_server;
}

/// Runs the engine over the script as a TCP connection, and checks its records. Where nothing was in doubt, each
/// segment cut in two must give the same messages.
void play(const Pieces& script, const EngineOptions& options);

/// Feeds the steps of `direction` to a parser, each as a whole or cut in two. Each part ends before a page that cannot
/// be read. `Log` has feed(Bytes), skip(count), operator== and is_over(), which is true once cuts may make a
/// difference.
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

/// Checks for each direction that cuts do not change the log.
template <class Log>
void check_parser(const Pieces& script) {
  for (const Direction direction : {Direction::to_server, Direction::to_client}) {
    require(parse<Log>(script, direction, false) == parse<Log>(script, direction, true));
  }
}

}  // namespace wirelap::fuzz
