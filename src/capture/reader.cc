#include "capture/reader.h"

#include <cerrno>
#include <cstring>

namespace wirelap {

bool Reader::fail(Error::Kind kind, std::string what) {
  const bool placed = count_ != 0 || input_.offset() != 0;
  Error error{kind, name_, std::move(what), placed ? count_ + 1 : 0, input_.offset()};
  error.block = container_ == Container::pcapng ? block_count_ + 1 : 0;
  error.decompressed = input_.is_decompressed();
  error_ = std::move(error);
  return false;
}

bool Reader::fail_read() {
  return fail(Error::Kind::unreadable, std::string("cannot be read on: ") + std::strerror(input_.error()));
}

/// Where the input gave less than was asked for: false where the rest will come,
/// and where that is a error which has nothing to do with what was being read.
bool Reader::is_plain_end() {
  if (input_.has_more_to_come()) return false;
  if (input_.error() != 0) return fail_read();
  if (const auto now = input_.shrunk_to()) {
    return fail(Error::Kind::unreadable, "cut short while it was read: the file had " +
                                             std::to_string(input_.file_bytes()) + " bytes, now it has " +
                                             std::to_string(*now));
  }
  if (!input_.decompressor_failure().empty()) {
    return fail(Error::Kind::damaged, "damaged: " + input_.decompressor_failure());
  }
  return !input_.stopped();
}

bool Reader::start() {
  if (!open_container()) return false;
  if (const Compression* const found = find_compression({input_.data(), input_.size()})) {
    if (!decompress(*found) || !open_container()) return false;
  } else {
    input_.keep_as_is();
  }
  const Bytes start{input_.data(), input_.size()};
  if (const Compression* const inner = find_compression(start)) {
    return fail(Error::Kind::not_capture, std::string("compressed twice: there is ") + inner->article + " " +
                                              inner->program + " file in it; unpack one level first");
  }
  return is_pcapng(start) ? start_pcapng() : start_pcap(start);
}

/// Waits for the bytes that tell the container. False where they cannot be had.
bool Reader::open_container() {
  const bool whole = input_.ensure(kMagicBytes);
  if (!whole && !is_plain_end()) return false;
  if (input_.size() != 0) return true;
  return fail(Error::Kind::not_capture, "empty: a capture begins with a 24-byte header");
}

bool Reader::decompress(const Compression& compression) {
  const std::string program = compression.program;
  if (input_.is_in_memory()) {
    return fail(Error::Kind::not_capture, std::string("compressed by ") + program + ": to be unpacked first");
  }
  const int error = input_.decompress(program);
  if (error == 0) return true;
  const std::string file = std::string(compression.article) + " " + program + " file";
  if (error == ENOENT) {
    return fail(Error::Kind::unreadable, file + ", and no " + program + " in PATH to open it: apt-get install " +
                                             compression.package + ", or where it is: " + program +
                                             " -dc FILE | wirelap");
  }
  return fail(Error::Kind::unreadable, file + ", and " + program + " does not start: " + std::strerror(error));
}

bool Reader::start_pcap(Bytes start) {
  const bool whole = start.size() >= pcap::kFileHeaderBytes;
  const auto header = whole ? pcap::parse_file_header(start.data()) : std::nullopt;
  if (!header) {
    if (!input_.ensure(kForeignBytes) && input_.has_more_to_come()) return false;
    if (const Foreign* const found = find_foreign({input_.data(), input_.size()})) {
      return fail(Error::Kind::not_capture, std::string(found->what) + "; " + found->advice);
    }
    return fail(Error::Kind::not_capture, whole ? "not a pcap or pcapng capture: its magic number is unknown"
                                                : "not a pcap or pcapng capture: its header needs 24 bytes, " +
                                                      std::to_string(start.size()) + " are there");
  }
  if (!header->is_known_version()) {
    return fail(Error::Kind::not_capture, "a pcap capture of version " + std::to_string(header->version_major) + "." +
                                              std::to_string(header->version_minor) + ": wirelap reads 2.0 to 2.4");
  }
  header_ = *header;
  container_ = !header_.is_plain() ? Container::pcap_variant
               : header_.swapped   ? Container::pcap_swapped
                                   : Container::pcap;
  input_.consume(pcap::kFileHeaderBytes);
  return true;
}

/// Takes the section header that a pcapng capture begins with.
bool Reader::start_pcapng() {
  container_ = Container::pcapng;
  PacketRecord none;
  pcapng::Decoder::Found found;
  if (next_block(none, found)) return true;
  if (error_ && error_->kind == Error::Kind::truncated) error_->kind = Error::Kind::not_capture;
  return false;
}

bool Reader::next_any(PacketRecord& record) {
  switch (container_) {
    case Container::pcap_swapped: return next_in_window<true>(record) || next_pcap(record);
    case Container::pcap:
    case Container::pcap_variant: return next_pcap(record);
    case Container::pcapng: return next_pcapng(record);
  }
  return false;
}

bool Reader::next_pcap(PacketRecord& record) {
  const std::size_t header_bytes = header_.record_header_bytes;
  if (!input_.ensure(header_bytes)) return end_in_header();
  pcap::RecordHeader header = pcap::parse_record_header(input_.data(), header_);
  pcap::order_lengths(header, header_);
  if (header.captured > pcap::kMaxCapturedBytes) return end_damaged(header);
  if (!input_.ensure(header_bytes + header.captured)) return end_in_record(header);
  take(record, header, header_bytes);
  if (container_ == Container::pcap_variant) trim_fcs(record, header_.fcs_bytes);
  return true;
}

bool Reader::next_pcapng(PacketRecord& record) {
  using Found = pcapng::Decoder::Found;
  Found found;
  while (next_block(record, found)) {
    if (found == Found::other) continue;
    ++count_;
    if (found == Found::event) continue;
    record.number = count_;
    return true;
  }
  return false;
}

/// Takes the next block, and tells what it was; false at the end.
bool Reader::next_block(PacketRecord& record, pcapng::Decoder::Found& found) {
  const auto damage = [this] { return fail(Error::Kind::damaged, "damaged: " + blocks_.problem()); };
  if (!input_.ensure(pcapng::kMinBlockBytes)) return end_in_block(pcapng::kMinBlockBytes, "a block needs ");
  pcapng::BlockHead head;
  if (!blocks_.begin(input_.data(), head)) return damage();
  if (!input_.ensure(head.length)) return end_in_block(head.length, "the block holds ");
  found = blocks_.take(head, {input_.data(), head.length}, record);
  if (found == pcapng::Decoder::Found::damage) return damage();
  input_.consume(head.length);
  ++block_count_;
  return true;
}

bool Reader::end_in_header() {
  if (!is_plain_end() || input_.size() == 0) return false;
  return fail(Error::Kind::truncated, "cut short: a record header needs " +
                                          std::to_string(header_.record_header_bytes) + " bytes, " +
                                          std::to_string(input_.size()) + " are there");
}

bool Reader::end_in_record(const pcap::RecordHeader& header) {
  if (!is_plain_end()) return false;
  return fail(Error::Kind::truncated, "cut short: the record holds " + std::to_string(header.captured) + " bytes, " +
                                          std::to_string(input_.size() - header_.record_header_bytes) + " are there");
}

bool Reader::end_damaged(const pcap::RecordHeader& header) {
  return fail(Error::Kind::damaged, "damaged: the record says that it holds " + std::to_string(header.captured) +
                                        " bytes, the most is " + std::to_string(pcap::kMaxCapturedBytes));
}

bool Reader::end_in_block(std::size_t needed, const char* what) {
  if (!is_plain_end() || input_.size() == 0) return false;
  return fail(Error::Kind::truncated, std::string("cut short: ") + what + std::to_string(needed) + " bytes, " +
                                          std::to_string(input_.size()) + " are there");
}

}  // namespace wirelap
