// Traffic made to take all memory, as a pcap of any size, a piece at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace wirelap::test {

/// Makes the capture of a flood. The same kind and count give the same bytes.
class Flood {
 public:
  /// Kinds, and what `count` counts:
  ///   syns       SYNs, each from an address of its own
  ///   holes      connections, each with a hole in a request and three segments past it
  ///   heads      connections, each with 28 KiB of a head that does not end
  ///   streams    connections of HTTP/2, each with 1,000 open streams
  ///   fragments  first fragments of datagrams that never come whole
  ///   large      streams of 40 KiB of path in one connection, while a hundred others wait for their answer
  ///   reading    segments of one endless response, while a hundred others wait for their answer
  ///   shifts     connections in all: a flood of each kind after the other, and SYNs again
  /// At the end one exchange is complete, at a server of its own (10.9.9.9), after a pause of a minute.
  Flood(std::string_view kind, std::uint64_t count) : kind_(kind), count_(count) {
    put32(0xa1b2c3d4);
    put32(0x00040002);
    for (const std::uint32_t word : {0U, 0U, 262144U, kLinkRaw}) put32(word);
  }

  static bool is_kind(std::string_view kind) {
    for (const char* const known : {"syns", "holes", "heads", "streams", "fragments", "large", "reading", "shifts"}) {
      if (kind == known) return true;
    }
    return false;
  }

  /// The next bytes, valid until the next call; empty at the end.
  std::string_view next() {
    if (begun_) bytes_.clear();
    begun_ = true;
    while (bytes_.size() < kPiece && !over_) step();
    return bytes_;
  }

  std::uint64_t packets() const { return packets_; }

 private:
  static constexpr std::uint32_t kLinkRaw = 101;
  static constexpr std::size_t kPiece = 64 * 1024;
  static constexpr std::uint8_t kFin = 1, kSyn = 2, kPsh = 8, kAck = 16;
  static constexpr std::uint32_t kServer = 0x0a000001, kLastServer = 0x0a090909, kFirstClient = 0x0b000000;
  static constexpr std::uint32_t kInnocents = 100;
  static constexpr std::uint32_t kInnocent = 0x0c000000;

  void put32(std::uint32_t value) { bytes_.append(reinterpret_cast<const char*>(&value), 4); }
  static void put_be(char* at, std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) at[i] = static_cast<char>(value >> (count - 1 - i) * 8);
  }

  /// A packet; `fragment`: flags and offset of IPv4.
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

  /// One end's view of a connection with `server`.
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
    if (at_ == 0 && has_innocents()) begin_innocents();
    if (at_ < count_) {
      step(kind_, at_++);
    } else {
      if (has_innocents()) end_innocents();
      finish();
      over_ = true;
    }
  }

  void step(std::string_view kind, std::uint64_t number) {
    if (kind == "syns") {
      put(kFirstClient + static_cast<std::uint32_t>(number), port_of(number), kServer, 80, 7, 0, kSyn, {});
    } else if (kind == "holes") {
      Peer one = peer(number);
      open(one);
      ask(one, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n");
      one.sent += 5000;
      for (int i = 0; i < 3; ++i) ask(one, filler_.substr(0, 1000));
    } else if (kind == "heads") {
      Peer one = peer(number);
      open(one);
      ask(one, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
      for (int i = 0; i < 20; ++i) ask(one, filler_.substr(0, 1400));
    } else if (kind == "streams") {
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
    } else if (kind == "fragments") {
      constexpr unsigned kMore = 0x2000;
      put(kFirstClient + static_cast<std::uint32_t>(number), 1024, kServer, 80, 1, 1, kAck, filler_.substr(0, 1348), kMore);
    } else if (kind == "large") {
      if (number == 0) {
        hog_ = peer(0);
        open(hog_);
        ask(hog_, preface());
      }
      std::string frames = headers(static_cast<std::uint32_t>(2 * number + 1), std::string(40 << 10, 'p'));
      for (std::string_view rest = frames; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 1400))) {
        ask(hog_, rest.substr(0, 1400));
      }
    } else if (kind == "reading") {
      if (number == 0) {
        hog_ = peer(0);
        open(hog_);
        ask(hog_, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        answer(hog_, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n");
      }
      answer(hog_, filler_.substr(0, 1400));
    } else {
      constexpr std::string_view kKinds[] = {"syns", "holes", "heads", "streams", "syns"};
      const std::uint64_t part = count_ / 5 + 1;
      // Heads and streams are much larger than the others.
      const std::uint64_t of = number / part;
      if ((of == 2 && number % 8 != 0) || (of == 3 && number % 64 != 0)) return;
      step(kKinds[of], number);
    }
  }

  bool has_innocents() const { return kind_ == "large" || kind_ == "reading"; }

  void begin_innocents() {
    for (std::uint32_t i = 0; i < kInnocents; ++i) {
      Peer one{kInnocent + i, 5000, kServer};
      open(one);
      ask(one, kRequest);
    }
  }
  void end_innocents() {
    for (std::uint32_t i = 0; i < kInnocents; ++i) {
      Peer one{kInnocent + i, 5000, kServer};
      one.sent += static_cast<std::uint32_t>(kRequest.size());
      answer(one, kResponse);
    }
  }

  void finish() {
    micros_ += 60'000'000;
    Peer last{kInnocent - 1, 5000, kLastServer};
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
  /// GET of `path`, whole; none of its fields goes to the table.
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
    constexpr std::size_t kMostPayload = 16384;
    std::string frames = frame(1, block.size() <= kMostPayload ? 5 : 1, stream, std::string_view(block).substr(0, kMostPayload));
    for (std::size_t at = kMostPayload; at < block.size(); at += kMostPayload) {
      frames += frame(9, at + kMostPayload >= block.size() ? 4 : 0, stream, std::string_view(block).substr(at, kMostPayload));
    }
    return frames;
  }

  const std::string kind_;
  const std::uint64_t count_;
  const std::string filler_text_ = std::string(2000, 'x');
  const std::string_view filler_ = filler_text_;
  std::string bytes_;
  bool begun_ = false;
  bool over_ = false;
  std::uint64_t at_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t micros_ = 2'000'000'000ull * 1'000'000;
  Peer hog_{};
};

}  // namespace wirelap::test
