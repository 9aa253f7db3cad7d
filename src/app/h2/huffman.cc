#include "app/h2/huffman.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace wirelap::h2 {
namespace {

constexpr int kSymbols = 257;  // the last is EOS
constexpr int kEos = 256;

/// The length of each symbol's code in bits (RFC 7541, appendix B). The code is canonical: in numerical order, shorter
/// codes come before longer ones, and codes of the same length are in the order of their symbols.
constexpr std::uint8_t kLengths[kSymbols] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,  // 0
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,  // 16
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,   // ' '
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,  // '0'
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,   // '@'
    7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,   // 'P'
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,   // '`'
    6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,  // 'p'
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,  // 128
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,  // 144
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,  // 160
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,  // 176
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,  // 192
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,  // 208
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,  // 224
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,  // 240
    30,                                                              // EOS
};

/// The code as a binary tree. An edge is the number of a node, or ~symbol where a code ends.
struct Tree {
  static constexpr int kNodes = kSymbols - 1;
  std::int16_t edges[kNodes][2] = {};
  bool complete = false;  // no edge is missing
};

constexpr Tree make_tree() {
  Tree tree;
  int nodes = 1;
  std::uint32_t code = 0;
  for (int length = 1; length <= 30; ++length) {
    code <<= 1;
    for (int symbol = 0; symbol < kSymbols; ++symbol) {
      if (kLengths[symbol] != length) continue;
      int node = 0;
      for (int bit = length - 1; bit > 0; --bit) {
        std::int16_t& edge = tree.edges[node][code >> bit & 1];
        if (edge == 0) edge = static_cast<std::int16_t>(nodes++);
        node = edge;
      }
      tree.edges[node][code & 1] = static_cast<std::int16_t>(~symbol);
      ++code;
    }
  }
  tree.complete = nodes == Tree::kNodes;
  for (const auto& node : tree.edges) tree.complete = tree.complete && node[0] != 0 && node[1] != 0;
  return tree;
}

constexpr Tree kTree = make_tree();
static_assert(kTree.complete);

/// Where four bits lead from a node. At most one code ends among them, since the shortest has five bits.
struct Step {
  std::uint8_t node = 0;
  std::uint8_t symbol = 0;
  bool has_symbol = false;
  bool is_error = false;
};

using Steps = std::array<std::array<Step, 16>, Tree::kNodes>;

constexpr Steps make_steps() {
  Steps steps{};
  for (std::size_t node = 0; node < steps.size(); ++node) {
    for (std::size_t bits = 0; bits < 16; ++bits) {
      Step& step = steps[node][bits];
      int at = static_cast<int>(node);
      for (int bit = 3; bit >= 0; --bit) {
        const int edge = kTree.edges[at][bits >> bit & 1];
        at = edge < 0 ? 0 : edge;
        if (edge >= 0) continue;
        step.is_error = step.is_error || ~edge == kEos;
        step.symbol = static_cast<std::uint8_t>(~edge);
        step.has_symbol = true;
      }
      step.node = static_cast<std::uint8_t>(at);
    }
  }
  return steps;
}

constexpr Steps kSteps = make_steps();

/// The nodes at which a string may end: the padding is up to 7 bits, all of them 1.
constexpr std::array<bool, Tree::kNodes> find_ends() {
  std::array<bool, Tree::kNodes> ends{};
  std::int16_t node = 0;
  for (int ones = 0; ones <= 7; ++ones) {
    ends[static_cast<std::size_t>(node)] = true;
    node = kTree.edges[node][1];
  }
  return ends;
}

constexpr std::array<bool, Tree::kNodes> kMayEnd = find_ends();

}  // namespace

bool decode_huffman(Bytes bytes, Text& text) {
  std::size_t node = 0;
  for (const std::uint8_t byte : bytes) {
    for (const int bits : {byte >> 4, byte & 15}) {
      const Step& step = kSteps[node][static_cast<std::size_t>(bits)];
      if (step.is_error) return false;
      if (step.has_symbol) text.push_back(static_cast<char>(step.symbol));
      node = step.node;
    }
  }
  return kMayEnd[node];
}

}  // namespace wirelap::h2
