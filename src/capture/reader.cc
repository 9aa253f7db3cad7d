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
  return fail(Error::Kind::unreadable, std::string("read failed: ") + std::strerror(input_.error()));
}

/// After the input ended before the bytes that were needed: returns true where the capture itself ends
/// there. Returns false where more bytes will come, where the run was stopped, and where reading,
/// the file or the decompressor failed; error() is then set.
bool Reader::is_end_of_capture() {
  if (input_.has_more_to_come()) return false;
  if (input_.error() != 0) return fail_read();
  if (const auto now = input_.shrunk_to_bytes()) {
    return fail(Error::Kind::unreadable, "the file shrank while it was read: from " +
                                             std::to_string(input_.file_bytes()) + " to " + std::to_string(*now) +
                                             " bytes");
  }
  if (!input_.decompressor_failure().empty()) {
    return fail(Error::Kind::damaged, "decompression failed: " + input_.decompressor_failure());
  }
  return !input_.stopped();
}

bool Reader::start() {
  if (!read_magic()) return false;
  if (const Compression* const compression = find_compression({input_.data(), input_.size()})) {
    if (!decompress(*compression) || !read_magic()) return false;
  } else {
    input_.keep_as_is();
  }
  const Bytes start{input_.data(), input_.size()};
  if (const Compression* const inner = find_compression(start)) {
    return fail(Error::Kind::not_capture, std::string("compressed twice: it contains ") + inner->article + " " +
                                              inner->program + " file; decompress it once first");
  }
  return is_pcapng(start) ? start_pcapng() : start_pcap(start);
}

/// Reads the first bytes, which identify the format. Returns false where that fails, and where more bytes will come.
bool Reader::read_magic() {
  const bool whole = input_.ensure(kMagicBytes);
  if (!whole && !is_end_of_capture()) return false;
  if (input_.size() != 0) return true;
  return fail(Error::Kind::not_capture, "empty: a capture starts with a header of 24 bytes");
}

bool Reader::decompress(const Compression& compression) {
  const std::string program = compression.program;
  if (input_.is_in_memory()) {
    return fail(Error::Kind::not_capture, std::string("compressed with ") + program + ": decompress it first");
  }
  const int error = input_.decompress(program);
  if (error == 0) return true;
  const std::string file = std::string(compression.article) + " " + program + " file";
  if (error == ENOENT) {
    return fail(Error::Kind::unreadable, file + ", but PATH has no " + program + ": install it (apt-get install " +
                                             compression.package + "), or decompress elsewhere: " + program +
                                             " -dc FILE | wirelap");
  }
  return fail(Error::Kind::unreadable, file + ", but " + program + " cannot be started: " + std::strerror(error));
}

bool Reader::start_pcap(Bytes start) {
  const bool complete = start.size() >= pcap::kFileHeaderBytes;
  const auto header = complete ? pcap::decode_file_header(start.data()) : std::nullopt;
  if (!header) return fail_unsupported();
  if (!header->is_supported_version()) {
    return fail(Error::Kind::not_capture, "unsupported pcap version " + std::to_string(header->version_major) + "." +
                                              std::to_string(header->version_minor) + ": wirelap reads 2.0 to 2.4");
  }
  header_ = *header;
  container_ = !header_.is_plain() ? Container::pcap_variant
               : header_.swapped   ? Container::pcap_swapped
                                   : Container::pcap;
  input_.consume(pcap::kFileHeaderBytes);
  return true;
}

/// Fails with the name of the file's format and advice, where wirelap knows it.
bool Reader::fail_unsupported() {
  if (!input_.ensure(kUnsupportedMagicBytes) && input_.has_more_to_come()) return false;
  const std::size_t bytes = input_.size();
  if (const UnsupportedFormat* const format = find_unsupported({input_.data(), bytes})) {
    return fail(Error::Kind::not_capture, std::string(format->name) + "; " + format->advice);
  }
  const std::string fact = "not a pcap or pcapng capture: ";
  if (bytes >= pcap::kFileHeaderBytes) return fail(Error::Kind::not_capture, fact + "unknown magic number");
  return fail(Error::Kind::not_capture, fact + "a header has 24 bytes, the file has " + std::to_string(bytes));
}

/// Reads the section header that a pcapng capture starts with.
bool Reader::start_pcapng() {
  container_ = Container::pcapng;
  PacketRecord none;
  pcapng::Decoder::Content content;
  if (next_block(none, content)) return true;
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
  if (!input_.ensure(header_bytes)) return fail_in_record_header();
  pcap::RecordHeader header = pcap::decode_record_header(input_.data(), header_);
  pcap::fix_length_order(header, header_);
  if (header.captured > pcap::kMaxCapturedBytes) return fail_in_length(header);
  if (!input_.ensure(header_bytes + header.captured)) return fail_in_record(header);
  set_record(record, header, header_bytes);
  if (container_ == Container::pcap_variant) trim_fcs(record, header_.fcs_bytes);
  return true;
}

bool Reader::next_pcapng(PacketRecord& record) {
  using Content = pcapng::Decoder::Content;
  Content content;
  while (next_block(record, content)) {
    if (content == Content::other) continue;
    ++count_;
    if (content == Content::event) continue;
    record.number = count_;
    return true;
  }
  return false;
}

/// Reads the next block and sets `content`. Returns false as next().
bool Reader::next_block(PacketRecord& record, pcapng::Decoder::Content& content) {
  const auto fail_block = [this] { return fail(Error::Kind::damaged, "damaged: " + blocks_.problem()); };
  if (!input_.ensure(pcapng::kMinBlockBytes)) return fail_in_block(pcapng::kMinBlockBytes, "a block has at least ");
  pcapng::BlockHead head;
  if (!blocks_.decode_head(input_.data(), head)) return fail_block();
  if (!input_.ensure(head.length)) return fail_in_block(head.length, "the block has ");
  content = blocks_.decode_block(head, {input_.data(), head.length}, record);
  if (content == pcapng::Decoder::Content::malformed) return fail_block();
  input_.consume(head.length);
  ++block_count_;
  return true;
}

// The functions below end the reading at an incomplete or malformed record. Where is_end_of_capture()
// returns false, the error that it has set, if any, is kept.

bool Reader::fail_in_record_header() {
  if (!is_end_of_capture() || input_.size() == 0) return false;
  return fail(Error::Kind::truncated, "truncated: a record header has " + std::to_string(header_.record_header_bytes) +
                                          " bytes, the capture ends after " + std::to_string(input_.size()));
}

bool Reader::fail_in_record(const pcap::RecordHeader& header) {
  if (!is_end_of_capture()) return false;
  return fail(Error::Kind::truncated, "truncated: the record's packet has " + std::to_string(header.captured) +
                                          " bytes, the capture ends after " +
                                          std::to_string(input_.size() - header_.record_header_bytes));
}

bool Reader::fail_in_length(const pcap::RecordHeader& header) {
  return fail(Error::Kind::damaged, "damaged: the record's captured length is " + std::to_string(header.captured) +
                                        " bytes, the maximum is " + std::to_string(pcap::kMaxCapturedBytes));
}

bool Reader::fail_in_block(std::size_t needed, const char* fact) {
  if (!is_end_of_capture() || input_.size() == 0) return false;
  return fail(Error::Kind::truncated, std::string("truncated: ") + fact + std::to_string(needed) +
                                          " bytes, the capture ends after " + std::to_string(input_.size()));
}

}  // namespace wirelap
