// fuzz: makes seeds of captures: each connection as a small capture, and as a script
// for the target of its protocol.
// usage: make-seeds FOLDER CAPTURE...
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "app/h2/frame.h"
#include "app/http1/parser.h"
#include "flow/key.h"
#include "fuzz/pieces.h"
#include "fuzz/script.h"
#include "wire/decode.h"

namespace wirelap::fuzz {
namespace {

constexpr std::size_t kMaxBytes = 3 * 1024;  // of a seed
constexpr std::size_t kMaxConnections = 12;  // of a capture

struct Connection {
  Pieces capture, script;
  Side client{};
  std::string protocol;
  std::uint32_t next[2] = {0, 0};
  bool begun[2] = {false, false};
};

std::string name_protocol(Bytes bytes, Direction direction) {
  if (h2::begins_with_preface(bytes, direction)) return "h2";
  if (bytes.size() > 2 && bytes[0] >= 20 && bytes[0] <= 23 && bytes[1] == 3) return "tls";
  return http1::looks_like_start(as_text(bytes), direction) == http1::Likeness::yes ? "http" : "tcp";
}

void add_step(Connection& connection, Side sender, const Segment& segment, Nanos pause) {
  const int side = index(sender);
  const std::uint32_t first = segment.tcp.sequence + ((segment.tcp.flags & kSyn) != 0 ? 1 : 0);
  const auto ahead = static_cast<std::int32_t>(first - connection.next[side]);
  if (connection.begun[side] && ahead < 0) return;  // a retransmission
  connection.begun[side] = true;
  connection.next[side] = first + segment.data_length;
  if (segment.data_length == 0 && (segment.tcp.flags & (kFin | kRst)) == 0) return;
  const bool from_server = sender != connection.client;
  Piece& step = connection.script.all.emplace_back();
  step.header[0] =
      static_cast<std::uint8_t>((from_server ? kFromServer : 0) | ((segment.tcp.flags & kFin) != 0 ? kEnds : 0) |
                                ((segment.tcp.flags & kRst) != 0 ? kResets : 0));
  for (Nanos micros = pause / 1000; micros > 1 && step.header[1] < 23; micros /= 2) ++step.header[1];
  test::append(step.bytes, segment.data);
  if (connection.protocol.empty() && !segment.data.empty()) {
    connection.protocol = name_protocol(segment.data, from_server ? Direction::to_client : Direction::to_server);
  }
}

std::uint64_t name_of(Bytes bytes) {
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

void write(const std::filesystem::path& folder, const std::string& target, Bytes bytes) {
  std::filesystem::create_directories(folder / target);
  char name[24];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(name_of(bytes)));
  std::ofstream(folder / target / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void make_seeds(Bytes file, const std::filesystem::path& folder) {
  if (file.size() < 24) return;
  write(folder, "reader", file.first(std::min(file.size(), kMaxBytes)));
  const std::uint32_t magic = load_le32(file.data());
  if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) return;
  const Pieces pieces = split_pieces(file, kCaptureLayout);
  const Buffer start = put_together(pieces, kCaptureLayout, kMaxBytes);
  write(folder, "decode", start);
  write(folder, "engine", start);
  std::vector<std::pair<FlowKey, Connection>> all;
  PacketRecord record;
  Nanos before = 0;
  for (const Piece& piece : pieces.all) {
    record = {piece.load(0) * kNanosPerSecond + piece.load(4) * kNanosPerMicro, record.number + 1, piece.bytes,
              piece.load(12), load_le32(&pieces.head[20]) & 0xffff};
    Segment segment;
    if (decode(record, segment) != DecodeError::none) continue;
    Side sender;
    const FlowKey key = make_flow_key(segment, sender);
    auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == key; });
    if (found == all.end()) {
      if (all.size() == kMaxConnections) continue;
      found = all.insert(all.end(), {key, {}});
      found->second.capture.head = pieces.head;
      const bool from_client = (segment.tcp.flags & kSyn) != 0 ? (segment.tcp.flags & kAck) == 0
                                                               : segment.tcp.destination_port < segment.tcp.source_port;
      found->second.client = from_client ? sender : other(sender);
    }
    found->second.capture.all.push_back(piece);
    add_step(found->second, sender, segment, before == 0 ? 0 : record.time - before);
    before = record.time;
  }
  for (const auto& [key, connection] : all) {
    const Buffer capture = put_together(connection.capture, kCaptureLayout, kMaxBytes);
    write(folder, "engine", capture);
    if (connection.protocol.empty()) continue;
    const Buffer script = put_together(connection.script, kScriptLayout, kMaxBytes);
    write(folder, connection.protocol, script);
    write(folder, "tcp", script);
  }
}

}  // namespace
}  // namespace wirelap::fuzz

int main(int count, char** arguments) {
  for (int i = 2; i < count; ++i) {
    std::ifstream file(arguments[i], std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    wirelap::fuzz::make_seeds({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, arguments[1]);
  }
}
