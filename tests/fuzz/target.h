// What is fuzzed: for each stage a function that takes any bytes, and aborts
// where the stage does anything that it must not.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace wirelap::fuzz {

/// What a target's input looks like to the mutator (mutate.h).
enum class Shape {
  bytes,    ///< nothing that it knows
  capture,  ///< a pcap
  script,   ///< a conversation (script.h)
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

/// Says where and aborts, unless `held`. (clang 14 has no std::source_location.)
void require(bool held, const char* file = __builtin_FILE(), unsigned line = __builtin_LINE());

/// The byte that stands `place` before the input's end: where to cut, and which
/// options to run with. It belongs to the input's content, too, so that any
/// capture is a seed.
inline std::uint8_t choice(Bytes input, std::size_t place) {
  return place < input.size() ? input[input.size() - 1 - place] : 0;
}

}  // namespace wirelap::fuzz
