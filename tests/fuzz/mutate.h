// fuzz: mutations that keep an input's shape. Records and steps stay whole, lengths
// stay correct, and segments stay in their connection. So mutated inputs pass the
// checks of the headers and reach the code behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "fuzz/pieces.h"

namespace wirelap::fuzz {

using Random = std::minstd_rand;

/// LLVMFuzzerMutate: mutates the `size` bytes at `data`. Returns their new size, at most `max_bytes`.
using MutateBytes = std::size_t (*)(std::uint8_t* data, std::size_t size, std::size_t max_bytes);

/// Returns a mutation of `input`; empty where the input has no pieces.
Buffer mutate(Shape shape, Bytes input, std::size_t max_bytes, Random& random, MutateBytes mutate_bytes);

/// Returns the pieces of both inputs as one: of captures, all packets in the order of time; of scripts, the beginning
/// of `a` and the end of `b`.
Buffer splice(Shape shape, Bytes a, Bytes b, std::size_t max_bytes, Random& random);

}  // namespace wirelap::fuzz
