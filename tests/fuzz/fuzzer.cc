// What libFuzzer calls. WIRELAP_TARGET names the target; memory is held to a
// cap by the size of the input.
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "capture/pcapng.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

std::int64_t held_bytes = 0, most_held_bytes = 0;

void count_new(const volatile void*, std::size_t size) {
  held_bytes += static_cast<std::int64_t>(size);
  most_held_bytes = std::max(held_bytes, most_held_bytes);
}
void count_gone(const volatile void* at) {
  if (at != nullptr)
    held_bytes -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(at)));
}

}  // namespace

namespace wirelap::fuzz {
namespace {

// What an engine has before its first packet, with the longest block that
// pcapng may announce; and what a byte of a capture may cost: records of 20
// bytes make connections, and short steps rows of text.
constexpr std::size_t kBaseBytes = (std::size_t{4} << 20) + pcapng::kMaxBlockBytes;
constexpr std::size_t kBytesPerByte = 256;

const Target& target() {
  static const Target& found = [&]() -> const Target& {
    const char* const name = std::getenv("WIRELAP_TARGET");
    for (const Target& each : kTargets) {
      if (name != nullptr && std::strcmp(name, each.name) == 0) return each;
    }
    std::fputs("WIRELAP_TARGET names no target\n", stderr);
    std::exit(2);
  }();
  return found;
}

/// What the mutator can do with `input`: of containers it knows pcap alone.
Shape shape_of(Bytes input) {
  const std::uint32_t magic = input.size() >= kCaptureLayout.head_bytes ? load_le32(input.data()) : 0;
  const bool is_pcap = magic == 0xa1b2c3d4 || magic == 0xa1b23c4d;
  return target().shape != Shape::capture || is_pcap ? target().shape : Shape::bytes;
}

/// The result is what goes back to libFuzzer; its own mutation where there is none.
std::size_t hand_back(const Buffer& result, std::uint8_t* data, std::size_t size, std::size_t most) {
  if (result.empty() || result.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(result.begin(), result.end(), data);
  return result.size();
}

/// What a target takes its choices from (target.h) is in a last frame that is seldom changed.
void vary_choices(std::uint8_t* data, std::size_t size, Random& random) {
  constexpr std::size_t kChoices = 4;
  for (std::size_t i = size - std::min(size, kChoices); i < size; ++i) data[i] = static_cast<std::uint8_t>(random());
}

}  // namespace
}  // namespace wirelap::fuzz

using namespace wirelap;
using namespace wirelap::fuzz;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  target();
  return __sanitizer_install_malloc_and_free_hooks(count_new, count_gone) > 0 ? 0 : 1;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::int64_t before = most_held_bytes = held_bytes;
  target().run({data, size});
  require(most_held_bytes - before <= static_cast<std::int64_t>(kBaseBytes + kBytesPerByte * size));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  Random random(seed);
  const Shape shape = shape_of({data, size});
  if (shape == Shape::bytes || random() % 16 == 0) return LLVMFuzzerMutate(data, size, most);
  const std::size_t made = hand_back(mutate(shape, {data, size}, most, random, LLVMFuzzerMutate), data, size, most);
  if (shape == Shape::capture && random() % 4 == 0) vary_choices(data, made, random);
  return made;
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                                                 std::size_t b_size, std::uint8_t* output, std::size_t most,
                                                 unsigned seed) {
  Random random(seed);
  Buffer both;
  const Shape shape = shape_of({a, a_size});
  if (shape == Shape::bytes || shape_of({b, b_size}) != shape) {
    const std::size_t cut = a_size == 0 ? 0 : random() % a_size;
    both.assign(a, a + cut);
    test::append(both, {b + b_size / 2, b_size - b_size / 2});
  } else {
    both = splice(shape, {a, a_size}, {b, b_size}, most, random);
  }
  both.resize(std::min(both.size(), most));
  std::copy(both.begin(), both.end(), output);
  return both.size();
}
