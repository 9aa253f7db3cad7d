// Counts the TCP packets of captures; packets.py compares the numbers.
//
//     count-packets CAPTURE...
//
// Prints a line for each capture: path, records, segments, then the reasons why other records are not segments, as COUNT
// REASON, the most frequent first; separated by tabs. Records and segments are '-' if the capture cannot be read.
#include <cstdio>
#include <string>

#include "capture/reader.h"
#include "wire/decoder.h"

int main(int count, char** arguments) {
  using namespace wirelap;
  for (int i = 1; i < count; ++i) {
    Input input({});
    Reader reader(input, arguments[i]);
    if (input.open(arguments[i]) != 0 || !reader.start()) {
      std::printf("%s\t-\t-\n", arguments[i]);
      continue;
    }
    Decoder decoder;
    PacketRecord record;
    Segment segment;
    while (reader.next(record)) decoder.decode(record, segment);
    decoder.finish();
    const DecodeCounts& counts = decoder.counts();
    std::printf("%s\t%llu\t%llu", arguments[i], static_cast<unsigned long long>(counts.records),
                static_cast<unsigned long long>(counts.segments()));
    for (const DecodeErrorCounts::Count& reason : counts.errors.sorted()) {
      std::printf("\t%llu %s", static_cast<unsigned long long>(reason.records), decode_error_text(reason.error, reason.detail).c_str());
    }
    std::printf("\n");
  }
  return 0;
}
