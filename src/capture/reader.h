// capture: from the bytes of a capture to its records.
//
// In: an Input. Out: one Record at a time, whole. It stops for good at the
// first thing that leaves the start of the next record unknown, and says what.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "capture/input.h"
#include "capture/pcap.h"
#include "capture/record.h"

namespace wirelap {

/// Reads one capture of any container that wirelap knows (today: pcap).
class Reader {
 public:
  /// `input` is borrowed; `name` is for faults.
  Reader(Input& input, std::string name) : input_(input), name_(std::move(name)) {}

  /// Reads the file header. False where it is none; `fault()` then says why.
  bool start();

  /// Moves to the next record; false at the end, whether good (no `fault()`) or bad.
  /// The record's bytes are valid until the next call.
  bool next(Record& record) {
    if (!input_.ensure(pcap::kRecordHeaderBytes)) [[unlikely]]
      return end_in_header();
    const pcap::RecordHeader header = pcap::parse_record_header(input_.data(), header_);
    const std::size_t bytes = pcap::kRecordHeaderBytes + header.captured;
    if (header.captured > pcap::kMaxCapturedBytes) [[unlikely]]
      return end_damaged(header);
    if (!input_.ensure(bytes)) [[unlikely]]
      return end_in_record(header);
    record.time = header.time;
    record.number = ++count_;
    record.bytes = {input_.data() + pcap::kRecordHeaderBytes, header.captured};
    record.length = header.length;
    record.link_type = header_.link_type;
    input_.consume(bytes);
    return true;
  }

  /// What ended the reading; nothing after a good end.
  const std::optional<Fault>& fault() const { return fault_; }

  /// Decimals that the capture's timestamps have: 6 or 9.
  int decimals() const { return header_.decimals; }

 private:
  bool end_in_header();
  bool end_in_record(const pcap::RecordHeader& header);
  bool end_damaged(const pcap::RecordHeader& header);
  bool fail(Fault::Kind kind, std::string what);
  bool fail_read();

  Input& input_;
  std::string name_;
  pcap::FileHeader header_;
  std::uint64_t count_ = 0;
  std::optional<Fault> fault_;
};

}  // namespace wirelap
