// capture: reads the records of a capture.
//
// In: an Input. Out: one complete PacketRecord at a time. An error after which the
// start of the next record is unknown ends the reading.
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

/// Reads one capture: pcap, its variants or pcapng, compressed or not.
class Reader {
 public:
  /// `input` is borrowed. `name` is the capture's name in errors.
  Reader(Input& input, std::string name) : input_(input), name_(std::move(name)) {}

  /// Reads the file header, and starts the decompressor of a compressed capture. Returns false with
  /// error() set where that fails. Returns false without an error where the input has more to come
  /// (Input::has_more_to_come): the caller then calls it again.
  bool start();

  /// Reads the next record, whose bytes are valid until the next call. Returns false at the end of
  /// the capture, after an error (error() is set), and where the input has more to come.
  bool next(PacketRecord& record) {
    if (container_ == Container::pcap && next_in_window(record)) [[likely]]
      return true;
    return next_any(record);
  }

  /// The error that ended the reading; nothing where the capture was read to its end.
  const std::optional<Error>& error() const { return error_; }

  /// Decimals of the capture's timestamps: 6 to 9. In pcapng, the finest interface so far determines
  /// them, so that they may increase while reading.
  int decimals() const { return container_ == Container::pcapng ? blocks_.decimals() : header_.decimals(); }

 private:
  enum class Container : std::uint8_t {
    pcap,          ///< in this machine's byte order
    pcap_swapped,  ///< in the other byte order
    pcap_variant,  ///< with records of another layout (FileHeader::is_plain)
    pcapng
  };

  /// The fast path: reads a plain record that is completely in the input's window. Returns false for
  /// any other record.
  template <bool kSwapped = false>
  bool next_in_window(PacketRecord& record) {
    constexpr std::size_t kHeaderBytes = pcap::kRecordHeaderBytes;
    const std::size_t held = input_.size();
    if (held < kHeaderBytes) return false;
    const auto header = pcap::decode_record_header<kSwapped>(input_.data(), header_.unit_ns);
    if (header.captured > held - kHeaderBytes || header.captured > pcap::kMaxCapturedBytes) return false;
    if (input_.has_lost_pages()) return false;
    set_record(record, header, kHeaderBytes);
    return true;
  }

  void set_record(PacketRecord& record, const pcap::RecordHeader& header, std::size_t header_bytes) {
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
  bool next_block(PacketRecord& record, pcapng::Decoder::Content& content);

  bool read_magic();
  bool decompress(const Compression& compression);
  bool start_pcap(Bytes start);
  bool start_pcapng();

  bool fail_in_record_header();
  bool fail_in_record(const pcap::RecordHeader& header);
  bool fail_in_length(const pcap::RecordHeader& header);
  bool fail_in_block(std::size_t needed, const char* fact);
  bool is_end_of_capture();
  bool fail_unsupported();
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
