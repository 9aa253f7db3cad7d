// bench: generates captures and the totals of their content.
//
// In: a kind of traffic, a size, a seed. Out: a pcap file, identical for the same options on every machine, and the
// totals of what was generated, with which a program's results can be compared.
//
// The capture point is at the client. TCP behaves as in Linux: sequence numbers and acknowledgments, timestamps, IP IDs
// that count per connection, an ACK for every second segment, flights that grow to 64 segments with a round trip
// between two of them, SACK and retransmissions after a loss. Checksums are 0.

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace {

using Micros = std::uint64_t;

constexpr Micros kEpoch = 1'700'000'000ull * 1'000'000;
constexpr Micros kSpacing = 12;     // between full segments: 1 Gbit/s
constexpr Micros kClientDelay = 5;  // from a segment to its ACK, both at the capture point
constexpr std::uint32_t kSegment = 1448;
constexpr std::uint32_t kLargestFlight = 64;

enum Endpoint : std::uint8_t { kClient, kServer };
enum Flag : std::uint8_t { kFin = 1, kSyn = 2, kPsh = 8, kAck = 16 };
constexpr Endpoint other(Endpoint side) { return side == kClient ? kServer : kClient; }

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "generate: %s\n", what.c_str());
  std::exit(2);
}

/// splitmix64 (Steele, Lea and Flood, 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// From `low` to `high`, inclusive.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + next() % (high - low + 1); }
  /// True with this probability.
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1p-53 < probability; }
  /// From `low` to `high`, with a log-uniform distribution: as many values from 1 to 2 kB as from 2 to 4 kB.
  std::uint64_t magnitude(std::uint64_t low, std::uint64_t high) {
    int doublings = 0;
    while (low << (doublings + 1) <= high) ++doublings;
    const std::uint64_t base = low << between(0, static_cast<std::uint64_t>(doublings));
    return std::min(high, between(base, base * 2 - 1));
  }

 private:
  std::uint64_t state_;
};

struct Options {
  std::string kind = "mix";
  std::uint64_t bytes = 100'000'000;
  std::uint64_t flows = 0;  // at the same time; 0: the default of the kind
  std::uint64_t seed = 1;
  double loss = -1;  // the share of the server's segments that is lost; as many are reordered; < 0: the default
  std::uint64_t response = 0;  // content bytes of each response; 0: the default of the kind
  std::string output = "-";
  std::string totals;
};

/// A message: `head`, then `body` bytes of filler.
struct Message {
  Endpoint sender = kClient;
  Micros delay = 0;  // before its first byte, in addition to the round trip
  std::string head;
  std::uint64_t body = 0;

  std::uint64_t size() const { return head.size() + body; }
};

/// A planned packet. Only its time can still change.
struct Event {
  Micros time;
  std::uint64_t offset;  // of its payload, in the message of the flow
  std::uint32_t sequence, acknowledgment;
  std::uint32_t timestamp, echo;
  std::uint32_t sack_left, sack_right;  // equal: no SACK block
  std::uint16_t length, id;
  std::uint8_t flags;
  Endpoint sender;
};

/// The state of one end of a flow.
struct End {
  std::uint32_t sequence = 0;  // of the next segment
  std::uint32_t timestamp_base = 0;
  std::uint32_t timestamp = 0;  // the latest
  std::uint16_t id = 0;
};

/// A connection: the packets that are planned, and the state from which the next ones are planned.
struct Flow {
  std::uint32_t client_address, server_address;
  std::uint16_t client_port, server_port;
  Micros round_trip;
  Micros now = 0;  // time of the next packet to plan
  End ends[2];
  std::vector<Event> plan;
  std::size_t at = 0;      // the next packet of `plan` to write
  Message message;         // the one that is being sent
  std::uint64_t sent = 0;  // bytes of it that are planned
  std::uint32_t flight = 10;
  std::uint64_t step = 0;  // number of messages so far
  std::uint64_t number = 0;
  std::uint64_t turns_left = 0;
  int requests = 0;  // in the current turn
  int tls = 0;       // version: 12, 13, or 0 without TLS
  bool is_closing = false;
};

// The output is written in pieces of about this size.
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kLargestRecord = 2048;

void put_le32(std::uint8_t* at, std::uint32_t value) { std::memcpy(at, &value, 4); }  // on little-endian machines
void put_be16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void put_be32(std::uint8_t* at, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, 4);
}

/// Writes packets to a pcap file.
class Writer {
 public:
  explicit Writer(const std::string& path) : buffer_(new std::uint8_t[kBufferBytes + kLargestRecord]) {
    fd_ = path == "-" ? STDOUT_FILENO : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd_ < 0) die(path + ": " + std::strerror(errno));
    for (std::size_t i = 0; i < sizeof filler_; ++i) filler_[i] = static_cast<std::uint8_t>(' ' + i * 7 % 95);
    const std::uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
    std::memcpy(buffer_.get(), header, sizeof header);
    used_ = sizeof header;
  }

  void write(const Flow& flow, const Event& event);
  void flush();
  std::uint64_t bytes() const { return flushed_ + used_; }
  std::uint64_t packets() const { return packets_; }

 private:
  void put_payload(std::uint8_t* at, const Message& message, std::uint64_t offset, std::size_t length) const;

  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t used_ = 0;
  std::uint64_t flushed_ = 0;
  std::uint64_t packets_ = 0;
  int fd_;
  std::uint8_t filler_[8192];
};

void Writer::put_payload(std::uint8_t* at, const Message& message, std::uint64_t offset, std::size_t length) const {
  if (offset < message.head.size()) {
    const std::size_t part = std::min<std::size_t>(length, message.head.size() - static_cast<std::size_t>(offset));
    std::memcpy(at, message.head.data() + offset, part);
    at += part;
    length -= part;
  }
  if (length != 0) std::memcpy(at, filler_ + offset % (sizeof filler_ - kSegment), length);
}

void Writer::write(const Flow& flow, const Event& event) {
  // MSS, SACK permitted, timestamps, NOP, window scale: in the order of Linux.
  static constexpr std::uint8_t kSynOptions[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
  const bool syn = (event.flags & kSyn) != 0;
  const bool sack = event.sack_left != event.sack_right;
  const std::uint32_t options = syn ? 20 : sack ? 24 : 12;
  const std::uint32_t ip_bytes = 20 + 20 + options + event.length;
  std::uint8_t* const record = buffer_.get() + used_;
  const Micros time = kEpoch + event.time;
  put_le32(record, static_cast<std::uint32_t>(time / 1'000'000));
  put_le32(record + 4, static_cast<std::uint32_t>(time % 1'000'000));
  put_le32(record + 8, 14 + ip_bytes);
  put_le32(record + 12, 14 + ip_bytes);

  const bool up = event.sender == kClient;
  std::uint8_t* const ethernet = record + 16;
  std::memcpy(ethernet, up ? "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08" : "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08", 14);
  std::uint8_t* const ip = ethernet + 14;
  put_be32(ip, 0x45000000 | ip_bytes);
  put_be32(ip + 4, static_cast<std::uint32_t>(event.id) << 16 | 0x4000);
  put_be32(ip + 8, up ? 0x40060000 : 0x38060000);
  put_be32(ip + 12, up ? flow.client_address : flow.server_address);
  put_be32(ip + 16, up ? flow.server_address : flow.client_address);
  std::uint8_t* const tcp = ip + 20;
  put_be16(tcp, up ? flow.client_port : flow.server_port);
  put_be16(tcp + 2, up ? flow.server_port : flow.client_port);
  put_be32(tcp + 4, event.sequence);
  put_be32(tcp + 8, event.acknowledgment);
  put_be32(tcp + 12, (20 + options) / 4 << 28 | static_cast<std::uint32_t>(event.flags) << 16 | (syn ? 64240 : 8192));
  put_be32(tcp + 16, 0);
  std::uint8_t* const option = tcp + 20;
  if (syn) {
    std::memcpy(option, kSynOptions, options);
    put_be32(option + 8, event.timestamp);
    put_be32(option + 12, event.echo);
  } else {
    put_be32(option, 0x0101080a);
    put_be32(option + 4, event.timestamp);
    put_be32(option + 8, event.echo);
    if (sack) {
      put_be32(option + 12, 0x0101050a);
      put_be32(option + 16, event.sack_left);
      put_be32(option + 20, event.sack_right);
    }
  }
  put_payload(option + options, flow.message, event.offset, event.length);
  used_ += 16 + 14 + ip_bytes;
  ++packets_;
  if (used_ >= kBufferBytes) flush();
}

void Writer::flush() {
  const std::uint8_t* at = buffer_.get();
  for (std::size_t left = used_; left != 0;) {
    const ssize_t written = ::write(fd_, at, left);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) std::exit(1);
    if (written < 0) die(std::string("output: ") + std::strerror(errno));
    at += written;
    left -= static_cast<std::size_t>(written);
  }
  flushed_ += used_;
  used_ = 0;
}

// ---------------------------------------------------------------- messages

/// The totals of the capture, under the names of wirelap's columns where there is one.
using Totals = std::map<std::string, std::uint64_t>;

/// `count` random digits and letters.
std::string letters(Random& random, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "0123456789abcdefghijklmnopqrstuvwxyz"[random.between(0, 35)];
  return text;
}

/// Makes the messages of each kind of traffic and adds them to the totals.
class Dialogue {
 public:
  Dialogue(const Options& options, Random& random, Totals& totals)
      : options_(options), random_(random), totals_(totals) {}

  /// Chooses the properties of a new flow.
  void begin(Flow& flow);
  /// Sets the next message of the flow; returns false if there is none. `enough`: the capture is large enough, so there
  /// are no further requests.
  bool next(Flow& flow, bool enough);

 private:
  bool is(std::string_view kind) const { return options_.kind == kind; }
  void make_requests(Flow& flow);
  void make_responses(Flow& flow);
  void make_tls(Flow& flow);
  void put_request(const Flow& flow, Message& message, std::uint64_t body);
  void put_response(Message& message, int status, std::uint64_t body, bool chunked);
  void put_record(Message& message, int type, std::uint64_t length);
  void put_client_hello(const Flow& flow, Message& message);
  void put_server_hello(const Flow& flow, Message& message);
  std::uint64_t response_length();
  Micros think_time();

  const Options& options_;
  Random& random_;
  Totals& totals_;
};

void Dialogue::begin(Flow& flow) {
  const bool tls = is("tls") || (is("mix") && random_.chance(0.2));
  flow.server_port = tls ? 443 : 80;
  flow.tls = tls ? (random_.chance(0.5) ? 13 : 12) : 0;
  flow.turns_left = is("bulk")        ? 64
                    : is("small")     ? 1
                    : is("wide")      ? 1
                    : is("pipelined") ? random_.between(4, 40)
                    : is("mix")       ? random_.magnitude(1, 64)
                                      : random_.between(4, 32);
  flow.round_trip = is("bulk") ? 500 : is("lossy") ? random_.between(2'000, 20'000) : random_.between(200, 40'000);
}

std::uint64_t Dialogue::response_length() {
  if (options_.response != 0) return options_.response;
  if (is("bulk")) return random_.between(options_.bytes / 32 + 1, options_.bytes / 16 + 1);
  if (is("small")) return random_.between(200, 1'000);
  if (is("wide")) return random_.between(20, 300);
  if (is("lossy")) return random_.magnitude(8'000, 500'000);
  if (is("pipelined")) return random_.magnitude(100, 3'000);
  if (is("chunked")) return random_.magnitude(1'000, 200'000);
  if (is("tls")) return random_.magnitude(2'000, 250'000);
  return random_.magnitude(700, 250'000);
}

Micros Dialogue::think_time() {
  if (is("bulk") || is("wide")) return 50;
  return random_.magnitude(60, 60'000);
}

bool Dialogue::next(Flow& flow, bool enough) {
  const bool is_response = flow.step % 2 != 0;
  const bool handshaking = flow.tls != 0 && flow.step < 4;
  if (!is_response && !handshaking && (flow.turns_left == 0 || (enough && flow.step != 0))) return false;
  Message& message = flow.message;
  message.head.clear();
  message.body = 0;
  message.sender = is_response ? kServer : kClient;
  message.delay = 0;
  if (flow.tls != 0) {
    make_tls(flow);
  } else if (is_response) {
    make_responses(flow);
  } else {
    make_requests(flow);
  }
  ++flow.step;
  return true;
}

void Dialogue::put_request(const Flow& flow, Message& message, std::uint64_t body) {
  char text[512];
  const int length = std::snprintf(
      text, sizeof text,
      "%s /bench/%llu/%llx HTTP/1.1\r\nHost: server%u.example\r\nUser-Agent: bench/1.0 (generated)\r\n"
      "Accept: text/html,application/json;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n",
      body != 0 ? "POST" : "GET", static_cast<unsigned long long>(flow.number),
      static_cast<unsigned long long>(random_.next()), flow.server_address & 0xff);
  message.head.append(text, static_cast<std::size_t>(length));
  if (body != 0) message.head += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body) + "\r\n";
  message.head += "\r\n";
  message.body += body;
  totals_["exchanges"] += 1;
}

void Dialogue::make_requests(Flow& flow) {
  Message& message = flow.message;
  flow.turns_left -= 1;
  flow.requests = is("pipelined") ? static_cast<int>(random_.between(4, 16)) : 1;
  for (int i = 0; i < flow.requests; ++i) {
    const bool post = (is("mix") || is("small")) && random_.chance(0.1);
    put_request(flow, message, post ? random_.magnitude(100, is("small") ? 400 : 60'000) : 0);
  }
  totals_["request_bytes"] += message.size();
  if (flow.step != 0 && !is("bulk")) message.delay = random_.magnitude(50, 100'000);
}

void Dialogue::put_response(Message& message, int status, std::uint64_t body, bool chunked) {
  char text[512];
  const char* const name = status == 200 ? "OK" : status == 404 ? "Not Found" : status == 503 ? "Unavailable" : "Other";
  int length =
      std::snprintf(text, sizeof text,
                    "HTTP/1.1 %d %s\r\nServer: bench\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
                    "Content-Type: application/octet-stream\r\nLast-Modified: Mon, 13 Nov 2023 08:00:00 GMT\r\n"
                    "Connection: keep-alive\r\nETag: \"%llx\"\r\n",
                    status, name, static_cast<unsigned long long>(random_.next()));
  message.head.append(text, static_cast<std::size_t>(length));
  totals_["status_" + std::to_string(status)] += 1;
  totals_["response_body_bytes"] += body;
  if (!chunked) {
    message.head += "Content-Length: " + std::to_string(body) + "\r\n\r\n";
    // The body is in `head` because further responses follow it.
    if (is("pipelined")) message.head.append(static_cast<std::size_t>(body), 'p');
    if (!is("pipelined")) message.body = body;
    return;
  }
  message.head += "Transfer-Encoding: chunked\r\n\r\n";
  while (body != 0) {
    const std::uint64_t chunk = std::min(body, random_.magnitude(100, 16'384));
    length = std::snprintf(text, sizeof text, "%llx\r\n", static_cast<unsigned long long>(chunk));
    message.head.append(text, static_cast<std::size_t>(length));
    message.head.append(static_cast<std::size_t>(chunk), 'c');
    message.head += "\r\n";
    body -= chunk;
  }
  message.head += "0\r\n\r\n";
}

void Dialogue::make_responses(Flow& flow) {
  Message& message = flow.message;
  message.delay = think_time();
  for (int i = 0; i < flow.requests; ++i) {
    const bool bad = !is("bulk") && random_.chance(0.05);
    const int status = !bad ? 200 : random_.chance(0.8) ? 404 : 503;
    put_response(message, status, response_length(), is("chunked") || (is("mix") && random_.chance(0.2)));
  }
  totals_["response_bytes"] += message.size();
}

// TLS (RFC 5246, RFC 8446): complete hellos; everything else is filler of the right length.

void put_number(std::string& text, std::uint64_t value, int bytes) {
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes) & 0xff);
}

/// `body` after its length, which takes `bytes` bytes.
std::string counted(const std::string& body, int bytes) {
  std::string text;
  put_number(text, body.size(), bytes);
  return text + body;
}

std::string extension(unsigned type, const std::string& body) {
  std::string text;
  put_number(text, type, 2);
  return text + counted(body, 2);
}

void put_record_header(std::string& text, unsigned type, std::uint64_t length) {
  put_number(text, type, 1);
  put_number(text, 0x0303, 2);
  put_number(text, length, 2);
}

void Dialogue::put_record(Message& message, int type, std::uint64_t length) {
  put_record_header(message.head, static_cast<unsigned>(type), length);
  message.head.append(static_cast<std::size_t>(length), 't');
}

void put_handshake(Message& message, unsigned type, const std::string& body) {
  std::string handshake;
  put_number(handshake, type, 1);
  handshake += counted(body, 3);
  put_record_header(message.head, 22, handshake.size());
  message.head += handshake;
}

void Dialogue::put_client_hello(const Flow& flow, Message& message) {
  const std::string name = "server" + std::to_string(flow.server_address & 0xff) + ".example";
  std::string body("\x03\x03", 2);
  body += letters(random_, 32) + counted(flow.tls == 13 ? letters(random_, 32) : "", 1);
  body += counted(std::string("\x13\x01\xc0\x2f\xc0\x30", 6), 2) + std::string("\x01\0", 2);
  std::string extensions = extension(0, counted(std::string(1, '\0') + counted(name, 2), 2));
  extensions += extension(16, counted(counted("http/1.1", 1), 2));
  extensions += extension(10, counted(std::string("\0\x1d", 2), 2));
  if (flow.tls == 13) {
    extensions += extension(43, counted(std::string("\x03\x04\x03\x03", 4), 1));
    extensions += extension(51, counted(std::string("\0\x1d", 2) + counted(letters(random_, 32), 2), 2));
  }
  put_handshake(message, 1, body + counted(extensions, 2));
}

void Dialogue::put_server_hello(const Flow& flow, Message& message) {
  std::string body("\x03\x03", 2);
  body += letters(random_, 32) + counted(letters(random_, 32), 1);
  body += flow.tls == 13 ? std::string("\x13\x01\0", 3) : std::string("\xc0\x2f\0", 3);
  std::string extensions;
  if (flow.tls == 13) {
    extensions = extension(43, std::string("\x03\x04", 2));
    extensions += extension(51, std::string("\0\x1d", 2) + counted(letters(random_, 32), 2));
  } else {
    extensions = extension(16, counted(counted("http/1.1", 1), 2));
  }
  put_handshake(message, 2, body + counted(extensions, 2));
}

void Dialogue::make_tls(Flow& flow) {
  constexpr int kChangeCipherSpec = 20, kHandshake = 22, kData = 23;
  Message& message = flow.message;
  if (flow.step == 0) return put_client_hello(flow, message);
  if (flow.step == 1) {
    put_server_hello(flow, message);
    if (flow.tls == 12) {
      put_handshake(message, 11, counted(counted(std::string(2'800, 'c'), 3), 3));
      put_handshake(message, 12, std::string(300, 'k'));
      return put_handshake(message, 14, "");
    }
    put_record(message, kChangeCipherSpec, 1);
    for (const std::uint64_t length : {44, 2'830, 281, 53}) put_record(message, kData, length);
    return;
  }
  if (flow.step == 2 && flow.tls == 12) {
    put_handshake(message, 16, std::string(33, 'k'));
    put_record(message, kChangeCipherSpec, 1);
    return put_record(message, kHandshake, 40);
  }
  if (flow.step == 3 && flow.tls == 12) {
    put_record(message, kChangeCipherSpec, 1);
    return put_record(message, kHandshake, 40);
  }
  std::uint64_t counted_from = 0;
  if (flow.step == 2) {  // TLS 1.3: the end of the handshake and the first request in one flight
    put_record(message, kChangeCipherSpec, 1);
    put_record(message, kData, 53);
    counted_from = message.head.size();
  }
  const bool is_request = message.sender == kClient;
  if (is_request && flow.turns_left != 0) flow.turns_left -= 1;
  if (is_request) totals_["exchanges"] += 1;
  if (is_request && flow.step > 4) message.delay = random_.magnitude(50, 100'000);
  if (!is_request) message.delay = think_time();
  std::uint64_t left = is_request ? random_.between(700, 2'000) : response_length();
  std::uint64_t content = 0;
  while (left != 0) {
    const std::uint64_t length = std::min<std::uint64_t>(left, 16'384);
    // A shorter record could be taken for a session ticket.
    put_record(message, kData, std::max<std::uint64_t>(length, 700));
    content += std::max<std::uint64_t>(length, 700);
    left -= length;
  }
  totals_[is_request ? "request_bytes" : "response_bytes"] += message.size() - counted_from;
  if (!is_request) totals_["response_body_bytes"] += content;
}

// ---------------------------------------------------------------- packets

/// Plans the packets of flows.
class Planner {
 public:
  Planner(const Options& options, Random& random, Totals& totals)
      : options_(options), random_(random), totals_(totals), dialogue_(options, random, totals) {}

  /// Makes a new flow, with its first packet at `start`.
  void begin(Flow& flow, std::uint64_t number, Micros start);
  /// Plans the next packets once all that were planned are written; returns false at the end of the flow.
  bool plan_more(Flow& flow, bool enough);

 private:
  struct Sent {
    Event event;
    double place;                  // in the order at the capture point
    bool lost_before, lost_after;  // before or after the capture point
  };

  Event make_event(Flow& flow, Endpoint sender, Micros time, std::uint8_t flags, std::uint32_t length);
  void put(Flow& flow, Endpoint sender, Micros time, std::uint8_t flags, std::uint32_t length = 0);
  void plan_opening(Flow& flow, Micros start);
  void plan_closing(Flow& flow);
  void plan_flight(Flow& flow);
  void plan_lossy_flight(Flow& flow, std::uint32_t segments);
  std::uint32_t next_length(const Flow& flow) const;

  const Options& options_;
  Random& random_;
  Totals& totals_;
  Dialogue dialogue_;
  std::vector<Sent> flight_;  // a member to reuse its memory
};

/// Assigns sequence number, IP ID and timestamp, so it must be called in the order in which each end sends.
Event Planner::make_event(Flow& flow, Endpoint sender, Micros time, std::uint8_t flags, std::uint32_t length) {
  End& from = flow.ends[sender];
  const End& to = flow.ends[other(sender)];
  const Micros sent = sender == kServer ? time - std::min(time, flow.round_trip / 2) : time;
  from.timestamp = from.timestamp_base + static_cast<std::uint32_t>(sent / 1'000);
  Event event{};
  event.time = time;
  event.offset = flow.sent;
  event.sequence = from.sequence;
  event.acknowledgment = (flags & kAck) != 0 ? to.sequence : 0;
  event.timestamp = from.timestamp;
  event.echo = (flags & kAck) != 0 ? to.timestamp : 0;
  event.length = static_cast<std::uint16_t>(length);
  event.flags = flags;
  event.sender = sender;
  event.id = from.id++;
  from.sequence += length + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
  return event;
}

void Planner::put(Flow& flow, Endpoint sender, Micros time, std::uint8_t flags, std::uint32_t length) {
  flow.plan.push_back(make_event(flow, sender, time, flags, length));
}

void Planner::begin(Flow& flow, std::uint64_t number, Micros start) {
  // The memory of the flow before is used again.
  std::vector<Event> plan = std::move(flow.plan);
  std::string head = std::move(flow.message.head);
  plan.clear();
  head.clear();
  flow = Flow{};
  flow.plan = std::move(plan);
  flow.message.head = std::move(head);
  flow.number = number;
  constexpr std::uint64_t kPorts = 28'000;
  flow.client_address = static_cast<std::uint32_t>(0x0a000000 + number / kPorts % 0x1000000);
  flow.client_port = static_cast<std::uint16_t>(32'768 + number % kPorts);
  flow.server_address = 0xc6120000 + static_cast<std::uint32_t>(random_.between(1, 16));  // RFC 2544's range
  dialogue_.begin(flow);
  for (End& end : flow.ends) {
    end.sequence = static_cast<std::uint32_t>(random_.next());
    end.timestamp_base = static_cast<std::uint32_t>(random_.next());
    end.id = static_cast<std::uint16_t>(random_.next());
  }
  plan_opening(flow, start);
}

void Planner::plan_opening(Flow& flow, Micros start) {
  put(flow, kClient, start, kSyn);
  const std::uint16_t id = flow.ends[kServer].id;
  flow.ends[kServer].id = 0;  // as in a SYN-ACK of Linux
  put(flow, kServer, start + flow.round_trip, kSyn | kAck);
  flow.ends[kServer].id = id;
  flow.now = start + flow.round_trip + kClientDelay;
  put(flow, kClient, flow.now, kAck);
  flow.now += 2;
}

void Planner::plan_closing(Flow& flow) {
  flow.is_closing = true;
  put(flow, kClient, flow.now, kFin | kAck);
  put(flow, kServer, flow.now + flow.round_trip, kFin | kAck);
  put(flow, kClient, flow.now + flow.round_trip + kClientDelay, kAck);
}

bool Planner::plan_more(Flow& flow, bool enough) {
  flow.plan.clear();
  flow.at = 0;
  if (flow.is_closing) return false;
  // In "wide", all flows are open before the first request and until after the last one.
  const Micros pause = options_.kind == "wide" ? options_.flows + random_.between(0, options_.flows) : 0;
  if (flow.sent == flow.message.size()) {
    const bool again = dialogue_.next(flow, enough);
    flow.now += pause;
    if (!again) {
      plan_closing(flow);
      return true;
    }
    flow.sent = 0;
    flow.flight = std::max<std::uint32_t>(flow.flight, 10);
    flow.now += flow.message.delay;
  }
  plan_flight(flow);
  return true;
}

std::uint32_t Planner::next_length(const Flow& flow) const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kSegment, flow.message.size() - flow.sent));
}

void Planner::plan_flight(Flow& flow) {
  const Endpoint sender = flow.message.sender;
  const Endpoint receiver = other(sender);
  const std::uint64_t left = (flow.message.size() - flow.sent + kSegment - 1) / kSegment;
  const std::uint32_t segments = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, flow.flight));
  flow.flight = std::min(kLargestFlight, flow.flight * 2);
  if (sender == kServer && options_.loss > 0) return plan_lossy_flight(flow, segments);
  // A client's segment reaches the server after half a round trip, and the ACK takes as long to return.
  const Micros ack_after = sender == kServer ? kClientDelay : flow.round_trip;
  Micros time = flow.now;
  for (std::uint32_t i = 0; i < segments; ++i) {
    const bool last = flow.sent + next_length(flow) == flow.message.size();
    const std::uint32_t length = next_length(flow);
    put(flow, sender, time, last ? kAck | kPsh : kAck, length);
    flow.sent += length;
    // A fast server sends the ACK with its response.
    const bool in_response = last && sender == kClient && options_.kind == "wide";
    if ((i % 2 == 1 || last || i + 1 == segments) && !in_response) put(flow, receiver, time + ack_after, kAck);
    time += kSpacing;
  }
  const auto earlier = [](const Event& a, const Event& b) { return a.time < b.time; };
  if (sender == kClient && segments > 1) std::stable_sort(flow.plan.begin(), flow.plan.end(), earlier);
  const Micros first_ack = flow.now + kSpacing + ack_after;
  const bool over = flow.sent == flow.message.size();
  if (sender == kClient) {
    flow.now = std::max(time, flow.plan.back().time) + (flow.plan.size() == 1 ? flow.round_trip : 0);
  } else {
    flow.now = over ? time : std::max(time, first_ack + flow.round_trip);
  }
}

/// A flight of the server. Some segments are lost before or after the capture point, and some are reordered.
void Planner::plan_lossy_flight(Flow& flow, std::uint32_t segments) {
  flight_.clear();
  const std::uint32_t first = flow.ends[kServer].sequence;
  const std::uint64_t first_offset = flow.sent;
  for (std::uint32_t i = 0; i < segments; ++i) {
    const std::uint32_t length = next_length(flow);
    const bool last = flow.sent + length == flow.message.size();
    Sent sent{make_event(flow, kServer, flow.now + i * kSpacing, last ? kAck | kPsh : kAck, length),
              static_cast<double>(i), random_.chance(options_.loss / 2), random_.chance(options_.loss / 2)};
    if (sent.lost_before) sent.lost_after = false;
    const bool late = random_.chance(options_.loss) && !sent.lost_before && !sent.lost_after;
    if (late) sent.place += static_cast<double>(random_.between(1, 3)) + 0.5;
    flow.sent += length;
    flight_.push_back(sent);
  }
  std::stable_sort(flight_.begin(), flight_.end(), [](const Sent& a, const Sent& b) { return a.place < b.place; });

  // The client: the parts of the flight that it has received, and its ACKs.
  std::uint32_t expected = first;
  std::map<std::uint32_t, std::uint32_t> runs;  // after `expected`: from begin to end, as offsets from `first`
  int unacknowledged = 0;
  const auto receive = [&](const Event& event, Micros time, bool ack_now) {
    std::uint32_t begin = event.sequence - first, end = begin + event.length;
    std::uint32_t sack_left = 0, sack_right = 0;
    if (event.sequence == expected) {
      expected += event.length;
      for (auto run = runs.begin(); run != runs.end() && run->first == expected - first; run = runs.erase(run)) {
        expected = first + run->second;
      }
      if (!runs.empty()) std::tie(sack_left, sack_right) = *runs.begin();
    } else {
      if (const auto behind = runs.find(end); behind != runs.end()) {
        end = behind->second;
        runs.erase(behind);
      }
      for (auto& [from, to] : runs) {
        if (to != begin) continue;
        begin = from;
      }
      runs[begin] = end;
      sack_left = begin;
      sack_right = end;
    }
    if (++unacknowledged < 2 && runs.empty() && !ack_now) return;
    unacknowledged = 0;
    Event ack = make_event(flow, kClient, time + kClientDelay, kAck, 0);
    ack.acknowledgment = expected;
    ack.sack_left = first + sack_left;
    ack.sack_right = first + sack_right;
    flow.plan.push_back(ack);
  };

  Micros time = flow.now;
  std::uint32_t highest = first;
  for (Sent& sent : flight_) {
    if (sent.lost_before) continue;
    Event event = sent.event;
    event.time = time;
    if (static_cast<std::int32_t>(event.sequence - highest) < 0) totals_["out_of_order_packets"] += 1;
    highest = std::max(highest - first, event.sequence - first) + first;
    flow.plan.push_back(event);
    if (!sent.lost_after) receive(event, time, &sent == &flight_.back());
    time += kSpacing;
  }
  const bool tail = flight_.back().lost_before || flight_.back().lost_after;
  time += tail ? flow.round_trip * 2 + 2'000 : flow.round_trip;
  const std::uint32_t after = flow.ends[kServer].sequence;
  bool had_loss = false;
  std::stable_sort(flight_.begin(), flight_.end(),
                   [&](const Sent& a, const Sent& b) { return a.event.sequence - first < b.event.sequence - first; });
  for (const Sent& sent : flight_) {
    if (!sent.lost_before && !sent.lost_after) continue;
    had_loss = true;
    flow.ends[kServer].sequence = sent.event.sequence;
    flow.sent = first_offset + (sent.event.sequence - first);
    const Event again = make_event(flow, kServer, time, sent.event.flags, sent.event.length);
    flow.plan.push_back(again);
    receive(again, time, true);
    totals_["lost_packets"] += 1;
    time += kSpacing;
  }
  flow.ends[kServer].sequence = after;
  flow.sent = first_offset + (after - first);
  if (had_loss) flow.flight = std::max(10u, flow.flight / 4);
  const bool over = flow.sent == flow.message.size();
  flow.now = std::max(time, flow.plan.back().time + 1) + (over ? 0 : flow.round_trip);
}

// ---------------------------------------------------------------- the capture

/// A heap of the flows, by the time of their next packet.
class Agenda {
 public:
  struct Entry {
    Micros time;
    std::uint32_t flow;
    bool operator<(const Entry& that) const { return time != that.time ? time < that.time : flow < that.flow; }
  };

  bool empty() const { return heap_.empty(); }
  const Entry& first() const { return heap_[0]; }
  void add(Entry entry) {
    heap_.push_back(entry);
    for (std::size_t at = heap_.size() - 1; at != 0 && heap_[at] < heap_[(at - 1) / 2]; at = (at - 1) / 2) {
      std::swap(heap_[at], heap_[(at - 1) / 2]);
    }
  }
  /// Changes the time of the first entry.
  void move_first(Micros time) {
    heap_[0].time = time;
    sink();
  }
  void remove_first() {
    heap_[0] = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink();
  }

 private:
  void sink() {
    for (std::size_t at = 0;;) {
      std::size_t least = at;
      for (std::size_t child = at * 2 + 1; child <= at * 2 + 2 && child < heap_.size(); ++child) {
        if (heap_[child] < heap_[least]) least = child;
      }
      if (least == at) return;
      std::swap(heap_[at], heap_[least]);
      at = least;
    }
  }
  std::vector<Entry> heap_;
};

void write_totals(const std::string& path, const Totals& totals) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) die(path + ": " + std::strerror(errno));
  for (const auto& [name, value] : totals) {
    std::fprintf(file, "%s\t%llu\n", name.c_str(), static_cast<unsigned long long>(value));
  }
  std::fclose(file);
}

void generate(const Options& options) {
  Random random(options.seed);
  Totals totals;
  Writer writer(options.output);
  Planner planner(options, random, totals);
  Agenda agenda;
  std::vector<Flow> flows(options.flows);
  std::uint64_t begun = 0;
  for (Flow& flow : flows) {
    // In "wide" one flow a microsecond, otherwise all within 20 ms.
    const Micros start = options.kind == "wide" ? begun : random.between(0, 20'000);
    planner.begin(flow, begun, start);
    agenda.add({flow.plan[0].time, static_cast<std::uint32_t>(begun++)});
  }
  while (!agenda.empty()) {
    Flow& flow = flows[agenda.first().flow];
    const Micros now = flow.plan[flow.at].time;
    writer.write(flow, flow.plan[flow.at++]);
    const bool enough = writer.bytes() >= options.bytes;
    if (flow.at == flow.plan.size() && !planner.plan_more(flow, enough)) {
      if (enough) {
        agenda.remove_first();
        continue;
      }
      planner.begin(flow, begun++, now + random.between(10, 5'000));
    }
    Event& next = flow.plan[flow.at];
    next.time = std::max(now, next.time);
    agenda.move_first(next.time);
  }
  writer.flush();
  totals["connections"] = begun;
  totals["packets"] = writer.packets();
  totals["bytes"] = writer.bytes();
  if (!options.totals.empty()) write_totals(options.totals, totals);
}

/// Parses "200M", "1G" or "5000". Units are powers of ten.
std::uint64_t parse_count(const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  const double unit = *end == 'K' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1;
  if (end == text || (*end != 0 && end[1] != 0) || value < 0) die(std::string("invalid number: ") + text);
  return static_cast<std::uint64_t>(value * unit);
}

constexpr struct {
  const char* name;
  std::uint64_t flows;
} kKinds[] = {{"bulk", 4},   {"mix", 64},     {"small", 64}, {"wide", 1'000'000},
              {"lossy", 16}, {"chunked", 16}, {"tls", 32},   {"pipelined", 16}};

constexpr char kUsage[] =
    "usage: generate --kind bulk|mix|small|wide|lossy|chunked|tls|pipelined [--bytes 100M]\n"
    "                [--flows N] [--loss PERCENT] [--response BYTES] [--seed N]\n"
    "                [--output FILE] [--totals FILE]\n";

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const option known[] = {{"kind", required_argument, nullptr, 'k'},
                          {"bytes", required_argument, nullptr, 'b'},
                          {"flows", required_argument, nullptr, 'f'},
                          {"loss", required_argument, nullptr, 'l'},
                          {"seed", required_argument, nullptr, 's'},
                          {"response", required_argument, nullptr, 'r'},
                          {"output", required_argument, nullptr, 'o'},
                          {"totals", required_argument, nullptr, 't'},
                          {nullptr, 0, nullptr, 0}};
  for (int found; (found = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (found) {
      case 'k': options.kind = optarg; break;
      case 'b': options.bytes = parse_count(optarg); break;
      case 'f': options.flows = parse_count(optarg); break;
      case 'l': options.loss = std::atof(optarg) / 100; break;
      case 's': options.seed = parse_count(optarg); break;
      case 'r': options.response = parse_count(optarg); break;
      case 'o': options.output = optarg; break;
      case 't': options.totals = optarg; break;
      default: std::fputs(kUsage, stderr); return 2;
    }
  }
  bool is_known = false;
  for (const auto& kind : kKinds) {
    if (options.kind != kind.name) continue;
    is_known = true;
    if (options.flows == 0) options.flows = kind.flows;
  }
  if (!is_known) die("unknown kind '" + options.kind + "'\n" + kUsage);
  if (options.loss < 0) options.loss = options.kind == "lossy" ? 0.01 : 0;
  generate(options);
}
