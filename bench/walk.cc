// bench: a yardstick: steps over the records of a pcap file and does nothing with them.
//
// usage: walk read|mmap CAPTURE      '-': standard input, with read only
// `read` reads 256 KiB at a time; `mmap` maps the whole file. Both look only at the header of each record and print the
// number of records.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kFileHeader = 24;
constexpr std::size_t kRecordHeader = 16;
constexpr std::size_t kBuffer = std::size_t{256} << 10;

std::size_t record_bytes(const std::uint8_t* at) {
  std::uint32_t captured;
  std::memcpy(&captured, at + 8, sizeof captured);
  return kRecordHeader + captured;
}

std::uint64_t walk_mapped(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return 0;
  const auto bytes = static_cast<std::size_t>(status.st_size);
  void* const map = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return 0;
  ::madvise(map, bytes, MADV_SEQUENTIAL);
  const auto* const data = static_cast<const std::uint8_t*>(map);
  std::uint64_t records = 0;
  for (std::size_t at = kFileHeader; at + kRecordHeader <= bytes; at += record_bytes(data + at)) ++records;
  return records;
}

std::uint64_t walk_read(int fd) {
  std::vector<std::uint8_t> buffer(kBuffer);
  std::uint64_t records = 0;
  std::size_t at = kFileHeader, held = 0;  // `at` can be past `held`
  for (;;) {
    while (at + kRecordHeader <= held) {
      at += record_bytes(buffer.data() + at);
      ++records;
    }
    const std::size_t kept = at < held ? held - at : 0;
    if (kept != 0) std::memmove(buffer.data(), buffer.data() + at, kept);
    at = at < held ? 0 : at - held;
    const ssize_t got = ::read(fd, buffer.data() + kept, buffer.size() - kept);
    if (got <= 0) return records;
    held = kept + static_cast<std::size_t>(got);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: walk read|mmap CAPTURE\n", stderr);
    return 2;
  }
  const std::string_view name = argv[2];
  const int fd = name == "-" ? STDIN_FILENO : ::open(argv[2], O_RDONLY);
  if (fd < 0) {
    std::perror(argv[2]);
    return 1;
  }
  const std::uint64_t records = std::string_view(argv[1]) == "mmap" ? walk_mapped(fd) : walk_read(fd);
  std::printf("%llu\n", static_cast<unsigned long long>(records));
}
