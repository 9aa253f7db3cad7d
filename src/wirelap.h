// The library: the bytes of a capture in, records out.
//
//   wirelap::Capture capture({}, [](const wirelap::Record& record) { puts(wirelap::json_of(record).c_str()); });
//   while (... more bytes ...) capture.feed(bytes, count);
//   capture.finish();
//
// In: pcap or pcapng, in pieces of any size; the caller decompresses it where it is compressed. Out: the records that
// the program writes, each as soon as its exchange has ended. The library prints nothing, throws nothing, opens no file
// and starts no thread or process. It has no global state: each thread can read captures of its own. This file needs
// C++17.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace wirelap {

/// What to read, and what records contain.
struct CaptureOptions {
  std::string name = "-";            ///< the column `capture` of the records, and the name in problem()
  std::vector<std::uint16_t> ports;  ///< ports of the servers; empty: any
  /// Header fields that become columns, in lower case. A column is named as the field, with `header_` before it where
  /// records have a column of that name already.
  std::vector<std::string> headers;
  bool packets = false;      ///< the column `interpacket_times`
  bool connections = false;  ///< also records of connections
  bool tcp = false;          ///< also turns of unknown TCP protocols
  /// Limit of the memory for connections. Past it the connections that have been idle longest are evicted.
  std::size_t memory_bytes = std::size_t{256} << 20;
};

/// A finished exchange or connection. Its values never change; the functions below read them.
struct Record;

/// The times of a response's packets: for each, the time since the one before and the bytes of the response so far.
using InterpacketTimes = std::vector<std::pair<std::chrono::nanoseconds, std::uint64_t>>;

/// One value of a record. std::monostate is null: the value is not known, or the record has no such column. A point in
/// time is the time since 1970-01-01 UTC. `vlan` is a text where there are two identifiers.
using Value =
    std::variant<std::monostate, std::string, std::uint64_t, std::chrono::nanoseconds, bool, InterpacketTimes>;

/// A column, as `wirelap --columns` prints it. The texts are static.
struct ColumnInfo {
  std::string_view name;  ///< such as "total_s"
  std::string_view type;  ///< text, integer, number, boolean or array
  std::string_view unit;  ///< such as "bytes"; empty: none
  std::string_view help;  ///< one line
  bool in_exchanges;
  bool in_connections;
};

/// The columns of all records, in their order, without those of headers.
std::vector<ColumnInfo> columns();

/// The value of the column with this name.
Value value_of(const Record& record, std::string_view column);
/// The value of the column with this index in columns().
Value value_of(const Record& record, std::size_t column);

/// The record as a JSON object (RFC 8259) in one line, without a line end: what the program writes as ndjson.
std::string json_of(const Record& record);

/// A copy, which can be kept.
std::shared_ptr<const Record> copy_of(const Record& record);

/// Receives a record. The record is valid during the call. The call must not use the capture that it comes from.
using OnRecord = std::function<void(const Record& record)>;

/// What was seen of a capture so far.
struct CaptureCounts {
  std::uint64_t packets = 0;
  std::uint64_t connections = 0;    ///< TCP connections
  std::uint64_t exchanges = 0;      ///< with a record
  std::uint64_t missing_bytes = 0;  ///< acknowledged, but not captured
  std::uint64_t evicted = 0;        ///< connections evicted to free memory
};

/// One capture, read while it arrives.
class Capture {
 public:
  Capture(CaptureOptions options, OnRecord on_record);
  ~Capture();
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;

  /// Reads the next `count` bytes. A packet that is incomplete at their end is kept until its rest arrives. Calls
  /// OnRecord for each exchange that they end. Returns false when the capture cannot be read further: the capture
  /// then ends as by finish(), problem() returns the error, and further bytes are ignored.
  bool feed(const void* bytes, std::size_t count);

  /// Ends the capture: reports what is still open. Returns whether it was read to its end; it was not where its last
  /// packet is incomplete.
  bool finish();

  /// Why the capture could not be read to its end, as one line; empty where it was.
  const std::string& problem() const;

  CaptureCounts counts() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// The version of the library, such as "0.1.0".
const char* version();

}  // namespace wirelap
