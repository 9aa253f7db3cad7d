// The library's face: bytes of a capture in, a record for each exchange out.
//
//   wirelap::Capture capture({}, [](std::string_view record) { puts(std::string(record).c_str()); });
//   while (... more bytes ...) capture.feed(bytes, count);
//   capture.finish();
//
// In: pcap or pcapng, in pieces of any size; compressed ones are for the caller
// to unpack. Out: the records that the program prints as ndjson, each as soon as
// its exchange has ended. Nothing is printed, thrown, opened or started, and
// nothing is global: captures can be read in several threads at once, each by
// one of them. C++17 is enough to include this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wirelap {

/// What records are wanted, and what is to be in them.
struct CaptureOptions {
  std::string name = "-";            ///< the records' `capture`, and the one in problem()
  std::vector<std::uint16_t> ports;  ///< servers' ports; empty: told from the traffic
  /// Header fields to be columns, in lower case; named `header_...` where records have a column of that name already.
  std::vector<std::string> headers;
  bool packets = false;      ///< `interpacket_times`
  bool connections = false;  ///< records of connections, too
  bool tcp = false;          ///< turns of TCP protocols that are not known, too
  /// Most for what is kept of connections: over it the longest idle are given up, as `evicted`.
  std::size_t memory_bytes = std::size_t{256} << 20;
};

/// Takes one record: a JSON object (RFC 8259) with the columns that README.md
/// names, without a line end. The text is valid during the call, which must not
/// call into the capture that it comes from.
using OnRecord = std::function<void(std::string_view record)>;

/// What was seen of a capture so far.
struct CaptureCounts {
  std::uint64_t packets = 0;
  std::uint64_t connections = 0;    ///< of TCP
  std::uint64_t exchanges = 0;      ///< reported
  std::uint64_t missing_bytes = 0;  ///< acknowledged, but not in the capture
  std::uint64_t evicted = 0;        ///< connections given up for want of memory
};

/// One capture that is read while it comes in.
class Capture {
 public:
  Capture(CaptureOptions options, OnRecord on_record);
  ~Capture();
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;

  /// Takes the next `count` bytes; a record cut by their end is kept until its
  /// rest comes. Calls OnRecord for each exchange that ends by them. False where
  /// no more can be read, as problem() says: that is as finish(), and further
  /// bytes are passed over.
  bool feed(const void* bytes, std::size_t count);

  /// There are no further bytes: what is under way is reported as it is. True
  /// where all was read: not where the last record is cut.
  bool finish();

  /// What kept the capture from being read to its end, one line; empty: nothing.
  const std::string& problem() const;

  CaptureCounts counts() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// The library's version, as "0.1.0".
const char* version();

}  // namespace wirelap
