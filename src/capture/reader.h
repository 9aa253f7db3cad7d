// capture: from the bytes of a capture to its records.
//
// In: an Input. Out: one Record at a time, whole. It stops for good at the
// first thing that leaves the start of the next record unknown, and says what.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "capture/container.h"
#include "capture/input.h"
#include "capture/pcap.h"
#include "capture/pcapng.h"
#include "capture/record.h"

namespace wirelap {

/// Reads one capture of any container that wirelap knows: pcap and its variants
/// and pcapng, either of them compressed or not.
class Reader {
 public:
  /// `input` is borrowed; `name` is for faults.
  Reader(Input& input, std::string name) : input_(input), name_(std::move(name)) {}

  /// Reads the file header. False where it is none; `fault()` then says why; or
  /// where not all of it is there yet: to be called again.
  /// A compressed capture's decompressor is started here.
  bool start();

  /// Moves to the next record; false at the end, whether good (no `fault()`) or bad,
  /// and where the input has more to come.
  /// The record's bytes are valid until the next call.
  bool next(Record& record) {
    if (container_ == Container::pcap) [[likely]]
      return next_pcap<true>(record);
    return next_other(record);
  }

  /// What ended the reading; nothing after a good end.
  const std::optional<Fault>& fault() const { return fault_; }

  /// Decimals that the capture's timestamps have: 6 to 9. In pcapng it is the
  /// finest interface so far that tells, so that it may grow while reading.
  int decimals() const { return container_ == Container::pcapng ? blocks_.decimals() : header_.decimals; }

 private:
  enum class Container : std::uint8_t {
    pcap,
    pcap_variant,  ///< anything about its records has to be put right first
    pcapng
  };

  template <bool kPlain>
  bool next_pcap(Record& record) {
    const std::size_t header_bytes = kPlain ? pcap::kRecordHeaderBytes : header_.record_header_bytes;
    if (!input_.ensure(header_bytes)) [[unlikely]]
      return end_in_header();
    pcap::RecordHeader header = pcap::parse_record_header(input_.data(), header_);
    if constexpr (!kPlain) pcap::order_lengths(header, header_);
    const std::size_t bytes = header_bytes + header.captured;
    if (header.captured > pcap::kMaxCapturedBytes) [[unlikely]]
      return end_damaged(header);
    if (!input_.ensure(bytes)) [[unlikely]]
      return end_in_record(header);
    record.time = header.time;
    record.number = ++count_;
    record.bytes = {input_.data() + header_bytes, header.captured};
    record.length = header.length;
    record.link_type = header_.link_type;
    if constexpr (!kPlain) trim_fcs(record, header_.fcs_bytes);
    input_.consume(bytes);
    return true;
  }

  bool next_other(Record& record);
  bool next_pcapng(Record& record);
  std::optional<pcapng::Decoder::Found> next_block(Record& record);

  bool open_container();
  bool decompress(const Compression& compression);
  bool start_pcap(Bytes start);
  bool start_pcapng();

  bool end_in_header();
  bool end_in_record(const pcap::RecordHeader& header);
  bool end_damaged(const pcap::RecordHeader& header);
  bool end_in_block(std::size_t needed, const char* what);
  bool is_plain_end();
  bool fail(Fault::Kind kind, std::string what);
  bool fail_read();

  Input& input_;
  std::string name_;
  Container container_ = Container::pcap;
  pcap::FileHeader header_;
  pcapng::Decoder blocks_;
  std::uint64_t count_ = 0;
  std::uint64_t block_count_ = 0;
  std::optional<Fault> fault_;
};

}  // namespace wirelap
