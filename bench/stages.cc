// bench: runs wirelap up to each of its stages, so that callgrind can count the instructions.
//
// usage: stages CAPTURE...
// For each capture and each stage, a function stage_NAME reads the capture with this stage and all before it; callgrind
// counts the instructions of each call. Prints capture, stage, packets and exchanges of each call, in order.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>

#include "capture/reader.h"
#include "engine.h"
#include "flow/consumer.h"
#include "flow/table.h"
#include "flow/tracker.h"
#include "output/writer.h"
#include "timing/observer.h"
#include "wire/decode.h"

// Replaces the source of the hash secret of the flow table: with a fixed secret, all runs have the same counts.
extern "C" ssize_t getrandom(void* buffer, std::size_t length, unsigned) {
  std::mt19937 random(1);
  for (std::size_t i = 0; i < length; ++i)
    static_cast<unsigned char*>(buffer)[i] = static_cast<unsigned char>(random());
  return static_cast<ssize_t>(length);
}

namespace wirelap {
namespace {

struct Counts {
  std::uint64_t packets = 0;
  std::uint64_t exchanges = 0;
};

/// A writer that formats nothing.
class Counter : public RecordWriter {
 public:
  void write(const Record&) override { ++count; }
  std::uint64_t count = 0;
};

template <class Take>
Counts read_all(const char* path, Take take) {
  Input input({});
  if (input.open(path) != 0) return {};
  Reader reader(input, path);
  if (!reader.start()) return {};
  PacketRecord record;
  Counts counts;
  while (reader.next(record)) {
    take(record);
    ++counts.packets;
  }
  return counts;
}

// callgrind finds these functions by name, so they must not be inlined, cloned or renamed.
#define WIRELAP_STAGE extern "C" __attribute__((noinline, used)) void

}  // namespace

WIRELAP_STAGE stage_read(const char* path, Counts& counts) {
  std::uint64_t bytes = 0;
  counts = read_all(path, [&](const PacketRecord& record) { bytes += record.bytes.size(); });
  asm volatile("" : : "r"(bytes));
}

WIRELAP_STAGE stage_decode(const char* path, Counts& counts) {
  Segment segment;
  counts = read_all(path, [&](const PacketRecord& record) {
    const DecodeError error = decode(record, segment);
    asm volatile("" : : "r"(error), "r"(&segment) : "memory");
  });
}

WIRELAP_STAGE stage_table(const char* path, Counts& counts) {
  Memory memory;
  FlowTable table(&memory);
  Segment segment;
  counts = read_all(path, [&](const PacketRecord& record) {
    if (decode(record, segment) != DecodeError::none) return;
    Side sender;
    bool added;
    Connection& connection = table.find_or_add(segment, sender, added);
    connection.number = 1;
    asm volatile("" : : "r"(&segment) : "memory");
  });
}

WIRELAP_STAGE stage_stream(const char* path, Counts& counts) {
  IdleConsumer nobody;
  Memory memory;
  TimingObserver<IdleConsumer> observer(nobody, &memory);
  Tracker<TimingObserver<IdleConsumer>> tracker(observer, 0, memory);
  Segment segment;
  Nanos last = 0;
  counts = read_all(path, [&](const PacketRecord& record) {
    last = record.time;
    if (decode(record, segment) == DecodeError::none) tracker.process(segment);
  });
  tracker.finish(last);
}

WIRELAP_STAGE stage_message(const char* path, Counts& counts) {
  Counter counter;
  Engine engine({}, counter);
  Input input({});
  if (input.open(path) != 0) return;
  engine.run(input, path);
  counts.exchanges = counter.count;
}

WIRELAP_STAGE stage_report(const char* path, Counts&) {
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Output output(null);
  const EngineOptions options;
  const auto writer = make_writer("ndjson", output, options.wanted);
  Engine engine(options, *writer);
  Input input({});
  // Records contain the name of their capture; its length must not depend on the folder.
  if (input.open(path) == 0) engine.run(input, "capture.pcap");
  writer->finish();
  output.flush();
  ::close(null);
}

namespace {

void run(const char* path) {
  constexpr struct {
    const char* name;
    void (*stage)(const char*, Counts&);
  } kStages[] = {{"read", stage_read},     {"decode", stage_decode},   {"table", stage_table},
                 {"stream", stage_stream}, {"message", stage_message}, {"report", stage_report}};
  const char* const slash = std::strrchr(path, '/');
  std::string name = slash == nullptr ? path : slash + 1;
  name = name.substr(0, name.find('.'));
  Counts counts;
  for (const auto& [stage_name, stage] : kStages) {
    const std::uint64_t packets = counts.packets;
    stage(path, counts);
    if (counts.packets == 0) counts.packets = packets;
    std::printf("%s\t%s\t%llu\t%llu\n", name.c_str(), stage_name, static_cast<unsigned long long>(counts.packets),
                static_cast<unsigned long long>(counts.exchanges));
  }
}

}  // namespace
}  // namespace wirelap

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) wirelap::run(argv[i]);
}
