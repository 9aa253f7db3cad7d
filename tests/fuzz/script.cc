#include "fuzz/script.h"

#include <cctype>
#include <set>
#include <string>
#include <string_view>

#include "fuzz/memory_file.h"
#include "fuzz/records.h"

namespace wirelap::fuzz {
namespace {

/// Makes a pcap file of one connection.
class Connection {
 public:
  Connection() {
    static const test::PcapWriter empty;
    pcap_ = empty.bytes();
    send(0, kSyn, {}, 0);
    send(1, kSyn | kAck, {}, 0);
    send(0, kAck, {}, 0);
  }

  void advance(Nanos time) { time_ += time; }

  /// Sends a segment with `length` bytes, of which `bytes` were captured. `side` 0: from the client.
  void send(int side, unsigned flags, Bytes bytes, std::size_t length, bool captured = true) {
    End& from = ends_[side];
    if (captured) put(side, flags, bytes, length);
    from.sent += static_cast<std::uint32_t>(length) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
  }
  /// From now on the other end acknowledges all that `side` has sent.
  void arrive(int side) { ends_[1 - side].acknowledges = ends_[side].sent; }

  const Buffer& pcap() const { return pcap_; }

 private:
  struct End {
    std::uint32_t sent = 1000, acknowledges = 0;
  };

  void put(int side, unsigned flags, Bytes bytes, std::size_t length) {
    const std::size_t at = pcap_.size();
    pcap_.resize(at + 16 + kHeaders);
    test::append(pcap_, bytes);
    const auto put_le = [&](std::size_t place, std::uint64_t value) {
      for (std::size_t i = 0; i < 4; ++i) pcap_[at + place + i] = static_cast<std::uint8_t>(value >> 8 * i);
    };
    const auto put_be = [&](std::size_t place, std::uint64_t value, std::size_t size) {
      for (std::size_t i = 0; i < size; ++i)
        pcap_[at + 16 + place + i] = static_cast<std::uint8_t>(value >> 8 * (size - 1 - i));
    };
    put_le(0, static_cast<std::uint64_t>(time_ / kNanosPerSecond));
    put_le(4, static_cast<std::uint64_t>(time_ % kNanosPerSecond / kNanosPerMicro));
    put_le(8, kHeaders + bytes.size());
    put_le(12, kHeaders + length);
    put_be(12, 0x0800, 2);
    put_be(14, 0x4500, 2);
    put_be(16, 40 + length, 2);
    put_be(18, ++ids_[side], 2);
    put_be(22, 64 << 8 | kProtocolTcp, 2);
    put_be(26, 0x0a000001u + static_cast<unsigned>(side), 4);
    put_be(30, 0x0a000002u - static_cast<unsigned>(side), 4);
    put_be(34, side == 0 ? 40000 : 80, 2);
    put_be(36, side == 0 ? 80 : 40000, 2);
    put_be(38, ends_[side].sent, 4);
    put_be(42, (flags & kAck) != 0 ? ends_[side].acknowledges : 0, 4);
    put_be(46, 0x5000 | flags, 2);
    put_be(48, 0xffff, 2);
    if ((flags & kSyn) != 0) ends_[1 - side].acknowledges = ends_[side].sent + 1;
  }

  static constexpr std::size_t kHeaders = 14 + 20 + 20;
  Buffer pcap_;
  End ends_[2];
  unsigned ids_[2] = {0, 0};
  Nanos time_ = 1'500'000'000 * kNanosPerSecond;
};

/// Makes a pcap file of `script`. `in_two`: cuts each segment in two, but not the first of each direction, by which the
/// protocol is detected.
Buffer pcap_of(const Pieces& script, bool in_two) {
  constexpr std::size_t kMaxBytes = 60'000;
  Connection connection;
  bool begun[2] = {false, false};
  for (const Piece& step : script.all) {
    const std::uint8_t bits = step.header[0];
    const int side = direction_of(step) == Direction::to_server ? 0 : 1;
    const Bytes bytes = Bytes(step.bytes).first(std::min(step.bytes.size(), kMaxBytes));
    const Bytes held = bytes.first((bits & kSnapped) != 0 ? bytes.size() / 2 : bytes.size());
    const unsigned flags =
        kAck | ((bits & kEnds) != 0 ? unsigned{kFin} : 0u) | ((bits & kResets) != 0 ? unsigned{kRst} : 0u);
    connection.advance(kNanosPerMicro << step.header[1] % 24);
    if ((bits & kBlind) == 0) connection.arrive(1 - side);
    const std::size_t cut = in_two && begun[side] ? bytes.size() * (step.header[1] + std::size_t{1}) / 256 : 0;
    begun[side] |= !bytes.empty();
    const std::size_t front = std::min(cut, held.size());
    if (cut != 0) connection.send(side, kAck | kPsh, held.first(front), cut, (bits & kLost) == 0);
    connection.send(side, flags | kPsh, held.subspan(front), bytes.size() - cut, (bits & kLost) == 0);
  }
  return connection.pcap();
}

/// What a run found. Where nothing was in doubt, cuts must not change the text.
struct Messages {
  bool certain = true;                   // nothing was in doubt
  bool bodyless = false;                 // a request has no body
  std::set<std::string_view> protocols;  // without their versions
  std::uint64_t counted[2] = {0, 0};     // bytes of exchanges, by direction
  std::string text;
};

class MessageWriter : public RecordWriter {
 public:
  MessageWriter(const Wanted& wanted, std::string_view also, Messages& messages)
      : checked_(wanted, also), all_(messages) {}

  void write(const Record& record) override {
    checked_.write(record);
    if (record.type == RecordType::connection) return;
    const MessageExtent &request = record.request_extent, &response = record.response_extent;
    const std::string_view protocol = record.protocol.substr(0, record.protocol.find('/'));
    all_.protocols.insert(protocol);
    all_.certain = all_.certain && record.outcome == "complete" && record.missing_bytes == 0;
    // If a response begins before its request has ended, it may not be known whether the response has a body.
    all_.certain = all_.certain && response.first >= request.last;
    all_.bodyless |= record.request_body_bytes == 0;
    put(request, record.request_bytes, record.request_body_bytes);
    put(response, record.response_bytes, record.response_body_bytes);
    all_.counted[0] += record.request_bytes;
    all_.counted[1] += record.response_bytes;
    all_.text += record.method + ' ' + record.host + ' ' + record.target + ' ' +
                 (record.status ? std::to_string(*record.status) : "-") + ' ' + std::string(protocol) + '\n';
  }

 private:
  void put(const MessageExtent& extent, std::uint64_t bytes, std::uint64_t body_bytes) {
    for (const std::uint64_t part : {bytes, body_bytes, extent.begin, static_cast<std::uint64_t>(extent.first),
                                     static_cast<std::uint64_t>(extent.last)}) {
      all_.text += std::to_string(part) + ' ';
    }
  }

  CheckedRecords checked_;
  Messages& all_;
};

Messages run(const Buffer& pcap, const EngineOptions& options, std::string_view also = "ndjson") {
  Messages messages;
  MessageWriter writer(options.wanted, also, messages);
  const MemoryFile file(pcap);
  Input::Options reading;
  reading.window_bytes = file.whole();
  Input input(reading);
  file.read(input);
  require(!Engine(options, writer).run(input, "script"));
  return messages;
}

/// Whether no step has a bit that causes doubt, and each byte of both directions is a part of an exchange.
bool is_all_counted(const Pieces& script, const Messages& messages) {
  std::uint64_t sent[2] = {0, 0};
  for (const Piece& step : script.all) {
    if ((step.header[0] & ~(kFromServer | kEnds)) != 0) return false;
    sent[direction_of(step) == Direction::to_server ? 0 : 1] += step.bytes.size();
  }
  return sent[0] == messages.counted[0] && sent[1] == messages.counted[1];
}

/// Whether a request may announce a body. If it is answered before its body begins, the next segment decides whether
/// the body follows (Parser::doubt_body), and half a segment may be too short for that.
bool may_announce_body(const Pieces& script) {
  std::string sent;
  for (const Piece& step : script.all) {
    if (direction_of(step) == Direction::to_server) sent += as_text(step.bytes);
  }
  for (char& c : sent) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return sent.find("content-length") != sent.npos || sent.find("transfer-encoding") != sent.npos;
}

/// Whether the first bytes of either direction look like the beginning of HTTP or TLS. If they turn out to be another
/// protocol, this is found late, and the times of turns depend on the segments until then (tests/README.md).
bool looks_known(const Pieces& script) {
  bool seen[2] = {false, false};
  for (const Piece& step : script.all) {
    bool& begun = seen[direction_of(step) == Direction::to_server ? 0 : 1];
    if (begun || step.bytes.empty()) continue;
    begun = true;
    const unsigned first = step.bytes[0];
    constexpr unsigned kCase = 0x20;
    if (((first | kCase) >= 'a' && (first | kCase) <= 'z') || (first >= 0x14 && first <= 0x17)) return true;
  }
  return false;
}

}  // namespace

void play(const Pieces& script, const EngineOptions& options) {
  // Half of the scripts are written in a further format.
  constexpr std::string_view kAlso[] = {"ndjson", "csv", "ndjson", "table"};
  const std::uint8_t choice = script.all.empty() ? 0 : script.all.front().header[1];
  const Messages whole = run(pcap_of(script, false), options, kAlso[choice % 4]);
  if (!whole.certain || !is_all_counted(script, whole)) return;
  if (whole.bodyless && may_announce_body(script)) return;
  const Messages in_two = run(pcap_of(script, true), options);
  // In the middle of a connection a protocol is detected by a whole segment; half of it may not be enough.
  if (whole.protocols != in_two.protocols) return;
  // Cut in two, the client's last bytes before its FIN may be found to be no turn.
  const bool is_tcp = whole.protocols == std::set<std::string_view>{"tcp"};
  if (is_tcp && (looks_known(script) || !is_all_counted(script, in_two))) return;
  require(whole.text == in_two.text);
}

}  // namespace wirelap::fuzz
