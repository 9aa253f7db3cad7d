// bench: checks that packets in order cause no allocation.
//
// usage: allocations CAPTURE...      each with one connection and one long response
// The engine reads each capture from a pipe. Allocations are counted from the first quarter of the capture to the
// third: there, all packets are data of the body in order, or ACKs without data. Exits with 1 if there is an
// allocation.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine.h"
#include "output/writer.h"

namespace {
std::uint64_t allocations = 0;
}

// The functions of glibc that operator new, containers and the C library call.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(old, bytes);
}
}

namespace wirelap {
namespace {

class Counter : public RecordWriter {
 public:
  void write(const Record&) override { ++count; }
  std::uint64_t count = 0;
};

/// Fills the pipe that an engine reads: one piece each time the engine has read the piece before.
class Feeder {
 public:
  Feeder(std::string bytes, int fd) : bytes_(std::move(bytes)), fd_(fd) {}

  /// Also counts allocations from the engine's own memory.
  void watch(const Memory& memory) { memory_ = &memory; }

  void feed() {
    if (counting_from_ == 0 && at_ >= bytes_.size() / 4) {
      counting_from_ = at_;
      before_ = so_far();
    }
    if (counted_bytes_ == 0 && at_ >= bytes_.size() / 4 * 3) {
      counted_bytes_ = at_ - counting_from_;
      counted_ = so_far() - before_;
    }
    const std::size_t piece = std::min<std::size_t>(kPiece, bytes_.size() - at_);
    if (piece == 0) {
      ::close(fd_);
      return;
    }
    // This does not block: a pipe has room for 64 KiB.
    const ssize_t written = ::write(fd_, bytes_.data() + at_, piece);
    if (written > 0) at_ += static_cast<std::size_t>(written);
  }

  std::size_t counted_bytes() const { return counted_bytes_; }
  std::uint64_t counted() const { return counted_; }

 private:
  static constexpr std::size_t kPiece = 32 << 10;

  std::uint64_t so_far() const { return allocations + memory_->allocations(); }

  std::string bytes_;
  int fd_;
  const Memory* memory_ = nullptr;
  std::size_t at_ = 0;
  std::size_t counting_from_ = 0, counted_bytes_ = 0;
  std::uint64_t before_ = 0, counted_ = 0;
};

/// Whether the capture was read without an allocation.
bool is_free_of_allocations(const char* path) {
  std::ifstream file(path, std::ios::binary);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  Feeder feeder({std::istreambuf_iterator<char>(file), {}}, ends[1]);
  Counter counter;
  Engine engine({}, counter);
  feeder.watch(engine.memory());
  Input::Options options;
  options.before_wait = [&feeder] { feeder.feed(); };
  Input input(options);
  input.attach(ends[0]);
  const auto error = engine.run(input, path);
  ::close(ends[0]);
  std::printf("allocations: %s: %llu in %zu bytes of packets in order\n", path,
              static_cast<unsigned long long>(feeder.counted()), feeder.counted_bytes());
  // Without data read, no allocation proves nothing.
  return !error && counter.count != 0 && feeder.counted_bytes() != 0 && feeder.counted() == 0;
}

}  // namespace
}  // namespace wirelap

int main(int argc, char** argv) {
  bool all = argc > 1;
  for (int i = 1; i < argc; ++i) all = wirelap::is_free_of_allocations(argv[i]) && all;
  return all ? 0 : 1;
}
