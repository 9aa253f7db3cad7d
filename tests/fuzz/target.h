// fuzz: the targets, a function for each stage. It passes any bytes to the stage, and
// aborts where the stage breaks one of its rules.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace wirelap::fuzz {

/// The inputs of a target, as the mutator sees them (mutate.h).
enum class Shape {
  bytes,    ///< any bytes
  capture,  ///< a pcap
  script,   ///< the segments of a connection (script.h)
};

struct Target {
  const char* name;
  void (*run)(Bytes input);
  Shape shape;
};

void run_reader(Bytes input);
void run_decode(Bytes input);
void run_stream(Bytes input);
void run_http(Bytes input);
void run_h2(Bytes input);
void run_tls(Bytes input);
void run_tcp(Bytes input);
void run_engine(Bytes input);

inline constexpr Target kTargets[] = {
    {"reader", run_reader, Shape::capture}, {"decode", run_decode, Shape::capture},
    {"stream", run_stream, Shape::bytes},   {"http", run_http, Shape::script},
    {"h2", run_h2, Shape::script},          {"tls", run_tls, Shape::script},
    {"tcp", run_tcp, Shape::script},        {"engine", run_engine, Shape::capture},
};

/// Prints the place and aborts, unless `holds`. (clang 14 has no std::source_location.)
void require(bool holds, const char* file = __builtin_FILE(), unsigned line = __builtin_LINE());

/// Returns the byte at `place`, counted from the end of the input, by which a target chooses its options and where to
/// cut. It is a part of the content as well, so that any capture can be a seed.
inline std::uint8_t choice(Bytes input, std::size_t place) {
  return place < input.size() ? input[input.size() - 1 - place] : 0;
}

}  // namespace wirelap::fuzz
