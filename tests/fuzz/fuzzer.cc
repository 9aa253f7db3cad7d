// fuzz: the functions that libFuzzer calls. The environment variable
// WIRELAP_TARGET names the target. An input must not make a target allocate more
// memory than the input's size permits.
#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "capture/pcapng.h"
#include "fuzz/mutate.h"
#include "fuzz/target.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_bytes);

namespace {

std::int64_t held_bytes = 0, max_held_bytes = 0;

void count_allocated(const volatile void*, std::size_t size) {
  held_bytes += static_cast<std::int64_t>(size);
  max_held_bytes = std::max(held_bytes, max_held_bytes);
}
void count_freed(const volatile void* at) {
  if (at != nullptr)
    held_bytes -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(at)));
}

}  // namespace

namespace wirelap::fuzz {
namespace {

// The memory of an engine before its first packet, with the longest block that
// pcapng permits.
constexpr std::size_t kBaseBytes = (std::size_t{4} << 20) + pcapng::kMaxBlockBytes;
// The memory for each byte of the input: a record of 20 bytes can make a connection,
// and a short step a line of text.
constexpr std::size_t kBytesPerByte = 256;

const Target& target() {
  static const Target& found = [&]() -> const Target& {
    const char* const name = std::getenv("WIRELAP_TARGET");
    for (const Target& each : kTargets) {
      if (name != nullptr && std::strcmp(name, each.name) == 0) return each;
    }
    std::fputs("fuzzer: WIRELAP_TARGET is not the name of a target\n", stderr);
    std::exit(2);
  }();
  return found;
}

/// Returns the shape by which `input` is mutated. Of the containers, the mutator knows pcap alone.
Shape shape_of(Bytes input) {
  const std::uint32_t magic = input.size() >= kCaptureLayout.head_bytes ? load_le32(input.data()) : 0;
  const bool is_pcap = magic == 0xa1b2c3d4 || magic == 0xa1b23c4d;
  return target().shape != Shape::capture || is_pcap ? target().shape : Shape::bytes;
}

/// Writes `result` to `data`, or libFuzzer's own mutation where the result is empty or too long. Returns the new size.
std::size_t hand_back(const Buffer& result, std::uint8_t* data, std::size_t size, std::size_t max_bytes) {
  if (result.empty() || result.size() > max_bytes) return LLVMFuzzerMutate(data, size, max_bytes);
  std::copy(result.begin(), result.end(), data);
  return result.size();
}

/// Changes the bytes by which a target chooses (target.h). They are the end of the last packet, which is seldom
/// mutated.
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
  return __sanitizer_install_malloc_and_free_hooks(count_allocated, count_freed) > 0 ? 0 : 1;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::int64_t before = max_held_bytes = held_bytes;
  target().run({data, size});
  require(max_held_bytes - before <= static_cast<std::int64_t>(kBaseBytes + kBytesPerByte * size));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_bytes,
                                               unsigned seed) {
  Random random(seed);
  const Shape shape = shape_of({data, size});
  if (shape == Shape::bytes || random() % 16 == 0) return LLVMFuzzerMutate(data, size, max_bytes);
  const std::size_t made =
      hand_back(mutate(shape, {data, size}, max_bytes, random, LLVMFuzzerMutate), data, size, max_bytes);
  if (shape == Shape::capture && random() % 4 == 0) vary_choices(data, made, random);
  return made;
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                                                 std::size_t b_size, std::uint8_t* output, std::size_t max_bytes,
                                                 unsigned seed) {
  Random random(seed);
  Buffer both;
  const Shape shape = shape_of({a, a_size});
  if (shape == Shape::bytes || shape_of({b, b_size}) != shape) {
    const std::size_t cut = a_size == 0 ? 0 : random() % a_size;
    both.assign(a, a + cut);
    test::append(both, {b + b_size / 2, b_size - b_size / 2});
  } else {
    both = splice(shape, {a, a_size}, {b, b_size}, max_bytes, random);
  }
  both.resize(std::min(both.size(), max_bytes));
  std::copy(both.begin(), both.end(), output);
  return both.size();
}
