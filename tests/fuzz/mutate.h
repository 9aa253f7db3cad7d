// Mutations that keep an input's shape: records and steps stay whole, lengths
// right, and segments fit the connection that they are in, so that what is
// fuzzed lies behind the headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "fuzz/pieces.h"

namespace wirelap::fuzz {

using Random = std::minstd_rand;

/// Changes `size` bytes at `data` to at most `most`: libFuzzer's own mutation.
using MutateBytes = std::size_t (*)(std::uint8_t* data, std::size_t size, std::size_t most);

/// A mutation of `input`; empty where it has no pieces.
Buffer mutate(Shape shape, Bytes input, std::size_t most, Random& random, MutateBytes mutate_bytes);

/// Both inputs' pieces in one: of captures, all connections side by side in time.
Buffer splice(Shape shape, Bytes a, Bytes b, std::size_t most, Random& random);

}  // namespace wirelap::fuzz
