// capture: from the bytes of a capture to its records.
//
// In: an Input. Out: one PacketRecord at a time, whole. It stops for good at the
// first thing that leaves the start of the next record unknown, and says what.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "capture/container.h"
#include "capture/input.h"
#include "capture/packet_record.h"
#include "capture/pcap.h"
#include "capture/pcapng.h"

namespace wirelap {

/// Reads one capture of any container that wirelap knows: pcap and its variants
/// and pcapng, either of them compressed or not.
class Reader {
 public:
  /// `input` is borrowed; `name` is for faults.
  Reader(Input& input, std::string name) : input_(input), name_(std::move(name)) {}

  /// Reads the file header. False where it is none; `error()` then says why; or
  /// where not all of it is there yet: to be called again.
  /// A compressed capture's decompressor is started here.
  bool start();

  /// Moves to the next record; false at the end, whether good (no `error()`) or bad,
  /// and where the input has more to come.
  /// The record's bytes are valid until the next call.
  bool next(PacketRecord& record) {
    if (container_ == Container::pcap && next_in_window(record)) [[likely]]
      return true;
    return next_any(record);
  }

  /// What ended the reading; nothing after a good end.
  const std::optional<Error>& error() const { return error_; }

  /// Decimals that the capture's timestamps have: 6 to 9. In pcapng it is the
  /// finest interface so far that tells, so that it may grow while reading.
  int decimals() const { return container_ == Container::pcapng ? blocks_.decimals() : header_.decimals(); }

 private:
  enum class Container : std::uint8_t {
    pcap,          ///< in this machine's byte order
    pcap_swapped,  ///< in the other
    pcap_variant,  ///< anything else about its records has to be put right first
    pcapng
  };

  /// Takes a plain record that is whole in the input's window; false for any other.
  template <bool kSwapped = false>
  bool next_in_window(PacketRecord& record) {
    constexpr std::size_t kHeaderBytes = pcap::kRecordHeaderBytes;
    const std::size_t held = input_.size();
    if (held < kHeaderBytes) return false;
    const auto header = pcap::parse_record_header<kSwapped>(input_.data(), header_.unit_ns);
    if (header.captured > held - kHeaderBytes || header.captured > pcap::kMaxCapturedBytes) return false;
    if (input_.is_torn()) return false;
    take(record, header, kHeaderBytes);
    return true;
  }

  void take(PacketRecord& record, const pcap::RecordHeader& header, std::size_t header_bytes) {
    record.time = header.time;
    record.number = ++count_;
    record.bytes = {input_.data() + header_bytes, header.captured};
    record.length = header.length;
    record.link_type = header_.link_type;
    input_.consume(header_bytes + header.captured);
  }

  bool next_any(PacketRecord& record);
  bool next_pcap(PacketRecord& record);
  bool next_pcapng(PacketRecord& record);
  bool next_block(PacketRecord& record, pcapng::Decoder::Found& found);

  bool open_container();
  bool decompress(const Compression& compression);
  bool start_pcap(Bytes start);
  bool start_pcapng();

  bool end_in_header();
  bool end_in_record(const pcap::RecordHeader& header);
  bool end_damaged(const pcap::RecordHeader& header);
  bool end_in_block(std::size_t needed, const char* what);
  bool is_plain_end();
  bool fail(Error::Kind kind, std::string what);
  bool fail_read();

  Input& input_;
  std::string name_;
  Container container_ = Container::pcap;
  pcap::FileHeader header_;
  pcapng::Decoder blocks_;
  std::uint64_t count_ = 0;
  std::uint64_t block_count_ = 0;
  std::optional<Error> error_;
};

}  // namespace wirelap
