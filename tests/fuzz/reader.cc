// fuzz: the containers. A file that is mapped and one that is read in small pieces
// give the same records and the same error.
#include "capture/reader.h"

#include <string>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"

namespace wirelap::fuzz {
namespace {

constexpr unsigned kMapEvery = 8;  // Mapping a file takes longer than reading it.

std::uint64_t digest(Bytes bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

/// Returns a line for each record, and the error.
std::string read_all(Input& input, std::size_t file_bytes) {
  std::string log;
  Reader reader(input, "capture");
  PacketRecord record;
  if (reader.start()) {
    std::uint64_t number = 0;
    while (reader.next(record)) {
      require(record.number > number);  // in pcapng, blocks without a packet have numbers, too
      number = record.number;
      require(record.bytes.size() <= file_bytes);
      for (const std::uint64_t part : {static_cast<std::uint64_t>(record.time), std::uint64_t{record.length},
                                       std::uint64_t{record.link_type}, digest(record.bytes)}) {
        log += std::to_string(part) + ' ';
      }
      log += '\n';
    }
    require(!reader.next(record));  // the end is final
    require(reader.decimals() >= 0 && reader.decimals() <= 9);
  }
  if (reader.error()) {
    require(reader.error()->offset <= file_bytes);
    log += error_text(*reader.error());
  }
  return log;
}

std::string read_all(const MemoryFile& file, bool mapped, std::size_t window_bytes) {
  Input::Options options;
  options.window_bytes = window_bytes;
  options.map_threshold_bytes = mapped ? 1 : file.whole();
  Input input(options);
  mapped ? file.map(input) : file.read(input);
  return read_all(input, file.bytes());
}

}  // namespace

void run_reader(Bytes input) {
  if (is_compressed(input)) return;
  const MemoryFile file(input);
  const std::string whole = read_all(file, false, file.whole());
  const std::size_t window = std::size_t{1} + choice(input, 0);
  require(read_all(file, false, window) == whole);
  if (choice(input, 1) % kMapEvery != 0) return;
  require(read_all(file, true, window) == whole);
  require(read_all(file, true, file.whole()) == whole);
}

}  // namespace wirelap::fuzz
