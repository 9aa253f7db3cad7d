// Generates traffic that is made to exhaust memory, as a pcap capture of any size, in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace wirelap::test {

/// Generates the capture of a flood. Equal kinds and counts generate equal bytes.
class Flood {
 public:
  /// The kinds of floods, and what `count` counts:
  ///   syns       SYNs, each from an address of its own
  ///   gaps       connections, each with a sequence gap in a request and three segments behind it
  ///   heads      connections, each with 28 KiB of a message head that does not end
  ///   streams    HTTP/2 connections, each with 1,000 open streams
  ///   fragments  first fragments of IP datagrams that never become complete
  ///   large      streams with 40 KiB of path each in one connection, while a hundred others wait for their response
  ///   reading    segments of one endless response, while a hundred other connections wait for theirs
  ///   shifts     connections in all: floods of syns, gaps, heads, streams and syns in turn
  /// Each flood ends, after a pause of a minute, with a complete exchange with the server 10.9.9.9.
  Flood(std::string_view kind, std::uint64_t count) : kind_(kind), count_(count) {
    put32(0xa1b2c3d4);
    put32(0x00040002);
    for (const std::uint32_t word : {0U, 0U, 262144U, kLinkRaw}) put32(word);
  }

  static bool is_kind(std::string_view kind) {
    for (const char* const known : {"syns", "gaps", "heads", "streams", "fragments", "large", "reading", "shifts"}) {
      if (kind == known) return true;
    }
    return false;
  }

  /// The next piece of the capture, valid until the next call; empty at the end.
  std::string_view next() {
    if (started_) bytes_.clear();
    started_ = true;
    while (bytes_.size() < kPiece && !done_) step();
    return bytes_;
  }

  std::uint64_t packets() const { return packets_; }

 private:
  static constexpr std::uint32_t kLinkRaw = 101;
  static constexpr std::size_t kPiece = 64 * 1024;
  static constexpr std::uint8_t kFin = 1, kSyn = 2, kPsh = 8, kAck = 16;
  static constexpr std::uint32_t kServer = 0x0a000001, kLastServer = 0x0a090909, kFirstClient = 0x0b000000;
  static constexpr std::uint32_t kWaitingCount = 100;
  static constexpr std::uint32_t kFirstWaiting = 0x0c000000;

  void put32(std::uint32_t value) { bytes_.append(reinterpret_cast<const char*>(&value), 4); }
  static void put_be(char* at, std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) at[i] = static_cast<char>(value >> (count - 1 - i) * 8);
  }

  /// Adds a packet. `fragment`: the flags and offset of IPv4.
  void put(std::uint32_t source, unsigned source_port, std::uint32_t destination, unsigned destination_port,
           std::uint32_t sequence, std::uint32_t acknowledgment, std::uint8_t flags, std::string_view payload,
           unsigned fragment = 0) {
    char header[40] = {0x45};
    const auto length = static_cast<std::uint32_t>(sizeof header + payload.size());
    put_be(header + 2, length, 2);
    put_be(header + 4, static_cast<std::uint32_t>(packets_), 2);
    put_be(header + 6, fragment, 2);
    header[8] = 64;
    header[9] = 6;
    put_be(header + 12, source, 4);
    put_be(header + 16, destination, 4);
    put_be(header + 20, source_port, 2);
    put_be(header + 22, destination_port, 2);
    put_be(header + 24, sequence, 4);
    put_be(header + 28, acknowledgment, 4);
    header[32] = 0x50;
    header[33] = static_cast<char>(flags);
    put_be(header + 34, 65535, 2);
    micros_ += 10;
    put32(static_cast<std::uint32_t>(micros_ / 1'000'000));
    put32(static_cast<std::uint32_t>(micros_ % 1'000'000));
    put32(length);
    put32(length);
    bytes_.append(header, sizeof header).append(payload);
    ++packets_;
  }

  /// A connection with `server`, with the client's sequence numbers.
  struct Peer {
    std::uint32_t client;
    unsigned port;
    std::uint32_t server;
    std::uint32_t sent = 1, received = 1;
  };

  static unsigned port_of(std::uint64_t number) { return static_cast<unsigned>(1024 + number % 60'000); }
  static Peer peer(std::uint64_t number) {
    return {kFirstClient + static_cast<std::uint32_t>(number), port_of(number), kServer};
  }

  void open(const Peer& peer) {
    put(peer.client, peer.port, peer.server, 80, 0, 0, kSyn, {});
    put(peer.server, 80, peer.client, peer.port, 0, 1, kSyn | kAck, {});
    put(peer.client, peer.port, peer.server, 80, 1, 1, kAck, {});
  }
  void ask(Peer& peer, std::string_view text) {
    put(peer.client, peer.port, peer.server, 80, peer.sent, peer.received, kAck | kPsh, text);
    peer.sent += static_cast<std::uint32_t>(text.size());
  }
  void answer(Peer& peer, std::string_view text) {
    put(peer.server, 80, peer.client, peer.port, peer.received, peer.sent, kAck | kPsh, text);
    peer.received += static_cast<std::uint32_t>(text.size());
    put(peer.client, peer.port, peer.server, 80, peer.sent, peer.received, kAck, {});
  }

  void step() {
    if (at_ == 0 && has_waiting()) begin_waiting();
    if (at_ < count_) {
      step(kind_, at_++);
    } else {
      if (has_waiting()) end_waiting();
      finish();
      done_ = true;
    }
  }

  /// Adds the packets of the `number`-th of `count_`.
  void step(std::string_view kind, std::uint64_t number) {
    if (kind == "syns") {
      put(kFirstClient + static_cast<std::uint32_t>(number), port_of(number), kServer, 80, 7, 0, kSyn, {});
    } else if (kind == "gaps") {
      add_gap(number);
    } else if (kind == "heads") {
      add_head(number);
    } else if (kind == "streams") {
      add_streams(number);
    } else if (kind == "fragments") {
      constexpr unsigned kMore = 0x2000;
      put(kFirstClient + static_cast<std::uint32_t>(number), 1024, kServer, 80, 1, 1, kAck, filler_.substr(0, 1348), kMore);
    } else if (kind == "large") {
      add_large(number);
    } else if (kind == "reading") {
      add_reading(number);
    } else {
      add_shift(number);
    }
  }

  void add_gap(std::uint64_t number) {
    Peer one = peer(number);
    open(one);
    ask(one, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n");
    one.sent += 5000;
    for (int i = 0; i < 3; ++i) ask(one, filler_.substr(0, 1000));
  }
  void add_head(std::uint64_t number) {
    Peer one = peer(number);
    open(one);
    ask(one, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 20; ++i) ask(one, filler_.substr(0, 1400));
  }
  void add_streams(std::uint64_t number) {
    Peer one = peer(number);
    open(one);
    ask(one, preface());
    std::string frames;
    for (std::uint32_t stream = 0; stream < 1000; ++stream) {
      frames += headers(2 * stream + 1, "/a/path/of/thirty/characters/" + std::to_string(stream));
      if (frames.size() > 1300 || stream == 999) {
        ask(one, frames);
        frames.clear();
      }
    }
  }
  void add_large(std::uint64_t number) {
    if (number == 0) {
      large_ = peer(0);
      open(large_);
      ask(large_, preface());
    }
    const std::string frames = headers(static_cast<std::uint32_t>(2 * number + 1), std::string(40 << 10, 'p'));
    for (std::string_view rest = frames; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 1400))) {
      ask(large_, rest.substr(0, 1400));
    }
  }
  void add_reading(std::uint64_t number) {
    if (number == 0) {
      large_ = peer(0);
      open(large_);
      ask(large_, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      answer(large_, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n");
    }
    answer(large_, filler_.substr(0, 1400));
  }
  void add_shift(std::uint64_t number) {
    constexpr std::string_view kKinds[] = {"syns", "gaps", "heads", "streams", "syns"};
    const std::uint64_t of = number / (count_ / 5 + 1);
    // Connections with heads and streams are much larger than the others: there are fewer of them.
    if ((of == 2 && number % 8 != 0) || (of == 3 && number % 64 != 0)) return;
    step(kKinds[of], number);
  }

  bool has_waiting() const { return kind_ == "large" || kind_ == "reading"; }

  void begin_waiting() {
    for (std::uint32_t i = 0; i < kWaitingCount; ++i) {
      Peer one{kFirstWaiting + i, 5000, kServer};
      open(one);
      ask(one, kRequest);
    }
  }
  void end_waiting() {
    for (std::uint32_t i = 0; i < kWaitingCount; ++i) {
      Peer one{kFirstWaiting + i, 5000, kServer};
      one.sent += static_cast<std::uint32_t>(kRequest.size());
      answer(one, kResponse);
    }
  }

  void finish() {
    micros_ += 60'000'000;
    Peer last{kFirstWaiting - 1, 5000, kLastServer};
    open(last);
    ask(last, kRequest);
    answer(last, kResponse);
  }

  static constexpr std::string_view kRequest = "GET /last HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

  static std::string preface() {
    return std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);
  }
  static std::string frame(unsigned type, unsigned flags, std::uint32_t stream, std::string_view payload) {
    char header[9];
    put_be(header, static_cast<std::uint32_t>(payload.size()), 3);
    header[3] = static_cast<char>(type);
    header[4] = static_cast<char>(flags);
    put_be(header + 5, stream, 4);
    return std::string(header, sizeof header).append(payload);
  }
  /// A complete GET request for `path`, whose fields are not added to the dynamic table.
  static std::string headers(std::uint32_t stream, const std::string& path) {
    std::string block("\x82\x86\x04", 3);
    std::size_t length = path.size();
    if (length < 127) {
      block += static_cast<char>(length);
    } else {
      block += '\x7f';
      for (length -= 127; length >= 128; length >>= 7) block += static_cast<char>(0x80 | (length & 0x7f));
      block += static_cast<char>(length);
    }
    block += path;
    constexpr std::size_t kMaxPayload = 16384;
    std::string frames = frame(1, block.size() <= kMaxPayload ? 5 : 1, stream, std::string_view(block).substr(0, kMaxPayload));
    for (std::size_t at = kMaxPayload; at < block.size(); at += kMaxPayload) {
      frames += frame(9, at + kMaxPayload >= block.size() ? 4 : 0, stream, std::string_view(block).substr(at, kMaxPayload));
    }
    return frames;
  }

  const std::string kind_;
  const std::uint64_t count_;
  const std::string filler_text_ = std::string(2000, 'x');
  const std::string_view filler_ = filler_text_;
  std::string bytes_;
  bool started_ = false;
  bool done_ = false;
  std::uint64_t at_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t micros_ = 2'000'000'000ull * 1'000'000;
  Peer large_{};
};

}  // namespace wirelap::test
