#include "capture/reader.h"

#include <cstring>

namespace wirelap {
namespace {

/// What a file's first bytes say it is, for the error of a container that is not read.
struct Magic {
  Bytes bytes;
  const char* what;
};

template <std::size_t N>
Bytes literal(const char (&text)[N]) {
  return {reinterpret_cast<const std::uint8_t*>(text), N - 1};
}

std::string name_container(Bytes start) {
  const Magic known[] = {
      {literal("\x0a\x0d\x0d\x0a"), "a pcapng capture; turn it into pcap with: editcap -F pcap IN OUT"},
      {literal("\x34\xcd\xb2\xa1"), "a modified (Kuznetzov) pcap capture; editcap -F pcap IN OUT"},
      {literal("\xa1\xb2\xcd\x34"), "a modified (Kuznetzov) pcap capture; editcap -F pcap IN OUT"},
      {literal("\x1f\x8b"), "a gzip file; pipe it in: gzip -dc FILE | wirelap"},
      {literal("\x28\xb5\x2f\xfd"), "a zstd file; pipe it in: zstd -dc FILE | wirelap"},
      {literal("\3757zXZ"), "an xz file; pipe it in: xz -dc FILE | wirelap"},
      {literal("\x04\x22\x4d\x18"), "an lz4 file; pipe it in: lz4 -dc FILE | wirelap"},
      {literal("BZh"), "a bzip2 file; pipe it in: bzip2 -dc FILE | wirelap"},
      {literal("snoop\0\0\0"), "a snoop capture; turn it into pcap with: editcap -F pcap IN OUT"},
  };
  for (const Magic& magic : known) {
    if (start.size() >= magic.bytes.size() && std::memcmp(start.data(), magic.bytes.data(), magic.bytes.size()) == 0) {
      return magic.what;
    }
  }
  return "";
}

}  // namespace

bool Reader::fail(Fault::Kind kind, std::string what) {
  fault_ = Fault{kind, name_, std::move(what), count_ == 0 && input_.offset() == 0 ? 0 : count_ + 1, input_.offset()};
  return false;
}

bool Reader::fail_read() {
  return fail(Fault::Kind::unreadable, std::string("cannot be read on: ") + std::strerror(input_.error()));
}

bool Reader::start() {
  const bool whole = input_.ensure(pcap::kFileHeaderBytes);
  if (input_.stopped()) return false;
  if (input_.error() != 0) return fail_read();
  const Bytes start{input_.data(), std::min(input_.size(), pcap::kFileHeaderBytes)};
  if (const std::string container = name_container(start); !container.empty()) {
    return fail(Fault::Kind::not_capture, container);
  }
  if (start.empty()) return fail(Fault::Kind::not_capture, "empty: a capture begins with a 24-byte header");
  const auto header = whole ? pcap::parse_file_header(start.data()) : std::nullopt;
  if (!header) {
    return fail(Fault::Kind::not_capture, whole ? "not a pcap capture: its magic number is unknown"
                                                : "not a pcap capture: its header needs 24 bytes, " +
                                                      std::to_string(start.size()) + " are there");
  }
  header_ = *header;
  input_.consume(pcap::kFileHeaderBytes);
  return true;
}

bool Reader::end_in_header() {
  if (input_.error() != 0) return fail_read();
  if (input_.stopped() || input_.size() == 0) return false;
  return fail(Fault::Kind::cut,
              "cut short: a record header needs 16 bytes, " + std::to_string(input_.size()) + " are there");
}

bool Reader::end_in_record(const pcap::RecordHeader& header) {
  if (input_.error() != 0) return fail_read();
  if (input_.stopped()) return false;
  return fail(Fault::Kind::cut, "cut short: the record holds " + std::to_string(header.captured) + " bytes, " +
                                    std::to_string(input_.size() - pcap::kRecordHeaderBytes) + " are there");
}

bool Reader::end_damaged(const pcap::RecordHeader& header) {
  return fail(Fault::Kind::damaged, "damaged: the record says that it holds " + std::to_string(header.captured) +
                                        " bytes, the most is " + std::to_string(pcap::kMaxCapturedBytes));
}

}  // namespace wirelap
