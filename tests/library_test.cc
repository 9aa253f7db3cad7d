// The library: a capture fed in pieces of any size gives the records that the program writes, and the same error where
// it is damaged; the typed values of a record are those of its JSON.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/flood.h"
#include "support/golden.h"
#include "support/run.h"
#include "wirelap.h"

namespace wirelap {
namespace {

using test::golden_records;
using test::slurp;

struct Fed {
  std::string records;  // a line each
  std::string problem;
  std::uint64_t packets = 0;
  bool all_read = false;
  friend bool operator==(const Fed&, const Fed&) = default;
};

/// Feeds `capture` in pieces that end at `ends`. Each piece has its own memory, so that using it after the call is a use
/// after free.
Fed feed(const std::string& capture, const std::vector<std::size_t>& ends, const std::string& name = "x") {
  Fed fed;
  CaptureOptions options;
  options.name = name;
  options.connections = name == "x";
  Capture reader(options, [&](const Record& record) { (fed.records += json_of(record)) += '\n'; });
  std::size_t at = 0;
  for (const std::size_t end : ends) {
    const std::vector<char> piece(capture.begin() + static_cast<std::ptrdiff_t>(at),
                                  capture.begin() + static_cast<std::ptrdiff_t>(end));
    if (!reader.feed(piece.data(), piece.size())) CHECK(!reader.problem().empty());
    at = end;
  }
  fed.all_read = reader.finish();
  CHECK(reader.finish() == fed.all_read);
  fed.problem = reader.problem();
  fed.packets = reader.counts().packets;
  return fed;
}

Fed feed_by(const std::string& capture, std::size_t piece_bytes, const std::string& name = "x") {
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at < capture.size(); at += piece_bytes)
    ends.push_back(std::min(at + piece_bytes, capture.size()));
  return feed(capture, ends, name);
}

TEST_CASE("library: a capture in pieces gives the records of the program") {
  for (const std::string name : {"s3-session", "loss", "h2", "tls13", "close", "vlan"}) {
    CAPTURE(name);
    const std::string capture = slurp("fixtures/" + name + ".pcap");
    const std::string golden = golden_records(name);
    REQUIRE(!golden.empty());
    for (const std::size_t piece : {std::size_t{613}, std::size_t{65536}, capture.size()}) {
      const Fed fed = feed_by(capture, piece, "fixtures/" + name + ".pcap");
      CHECK(fed.all_read);
      CHECK(fed.records == golden);
    }
  }
}

TEST_CASE("library: a capture gives the same records in one piece, byte by byte, and split at any byte") {
  const std::string pcapng = slurp("fixtures/dress/nanoseconds.pcapng");
  const std::string pcap = slurp("fixtures/dress/dumpcap-lo.pcap");
  std::string damaged = pcap;
  for (std::size_t i = 1000; i < 1100; ++i) damaged[i] = '\xff';
  const std::string captures[] = {pcapng,
                                  pcap,
                                  damaged,
                                  pcap.substr(0, pcap.size() - 9),
                                  pcapng.substr(0, pcapng.size() - 9),
                                  pcap.substr(0, 30),
                                  pcap.substr(0, 20),
                                  pcap.substr(0, 24),
                                  slurp("fixtures/dress/nanoseconds.pcap.gz"),
                                  std::string(200, 'x'),
                                  "<?xml version=\"1.0\"?>\n<pdml version=\"0\">" + std::string(100, ' '),
                                  "too short",
                                  ""};
  for (const std::string& capture : captures) {
    CAPTURE(capture.substr(0, 16));
    CAPTURE(capture.size());
    const Fed whole = feed(capture, {capture.size()});
    CHECK(whole.all_read == whole.problem.empty());
    CHECK((feed_by(capture, 1) == whole));
    for (std::size_t split = 0; split <= capture.size(); ++split) {
      if (!(feed(capture, {split, capture.size()}) == whole)) FAIL(split);
    }
  }
  CHECK(feed(pcapng, {pcapng.size()}).records.find("\"type\":\"exchange\"") != std::string::npos);
}

TEST_CASE("library: problem() is the error of the program") {
  struct Case {
    std::string capture;
    std::string problem;
  };
  const std::string pcap = slurp("fixtures/dress/dumpcap-lo.pcap");
  const Case cases[] = {
      {"", "x: empty: a capture starts with a header of 24 bytes"},
      {"too short", "x: not a pcap or pcapng capture: a header has 24 bytes, the file has 9"},
      {slurp("fixtures/dress/nanoseconds.pcap.gz"), "x: compressed with gzip: decompress it first"},
      {pcap.substr(0, 30), "x: record 1 at byte 24: truncated: a record header has 16 bytes, the capture ends after 6"},
  };
  for (const Case& test : cases) {
    const Fed fed = feed_by(test.capture, 7);
    CHECK(!fed.all_read);
    CHECK(fed.problem == test.problem);
  }
}

TEST_CASE("library: a record is reported as soon as its exchange has ended") {
  const std::string capture = slurp("fixtures/s3-session.pcap");
  std::size_t records = 0;
  Capture reader({}, [&](const Record&) { ++records; });
  std::size_t early = 0;
  for (std::size_t at = 0; at < capture.size(); at += 100) {
    CHECK(reader.feed(&capture[at], std::min<std::size_t>(100, capture.size() - at)));
    if (at < capture.size() / 2) early = records;
  }
  CHECK(early > 3);
  CHECK(reader.finish());
  CHECK(records > early);
  CHECK(reader.counts().exchanges == records);
}

TEST_CASE("library: connections beyond the memory limit are evicted and counted") {
  CaptureOptions options;
  options.memory_bytes = std::size_t{1} << 20;
  std::uint64_t evicted = 0;
  Capture reader(options, [&](const Record& record) { evicted += value_of(record, "outcome") == Value("evicted"); });
  test::Flood flood("gaps", 1000);
  for (std::string_view piece; !(piece = flood.next()).empty();) reader.feed(piece.data(), piece.size());
  CHECK(reader.finish());
  CHECK(evicted > 500);
  CHECK(reader.counts().evicted == evicted);
}

TEST_CASE("library: a Capture that is destroyed before finish() frees what its connections hold") {
  const std::string capture = slurp("fixtures/s3-session.pcap");
  Capture reader({}, [](const Record&) {});
  CHECK(reader.feed(capture.data(), capture.size() / 2));  // the sanitized build detects a leak
}

/// `value` as JSON, times with `decimals`.
std::string as_json(const Value& value, int decimals) {
  const auto seconds = [&](std::chrono::nanoseconds time) {
    std::string digits = std::to_string(time.count() % 1'000'000'000 + 1'000'000'000);
    return std::to_string(time.count() / 1'000'000'000) + "." + digits.substr(1, static_cast<std::size_t>(decimals));
  };
  if (const auto* text = std::get_if<std::string>(&value)) return "\"" + *text + "\"";
  if (const auto* integer = std::get_if<std::uint64_t>(&value)) return std::to_string(*integer);
  if (const auto* time = std::get_if<std::chrono::nanoseconds>(&value)) return seconds(*time);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* times = std::get_if<InterpacketTimes>(&value)) {
    std::string all;
    for (const auto& [gap, bytes] : *times) {
      all += (all.empty() ? "[" : ",[") + seconds(gap) + "," + std::to_string(bytes) + "]";
    }
    return "[" + all + "]";
  }
  return "null";
}

/// The JSON of `record`, made from its values. `headers`: the columns of headers, before `interpacket_times`.
std::string object_of(const Record& record, const std::vector<std::string>& headers, int decimals) {
  const std::vector<ColumnInfo> all = columns();
  const bool is_exchange = value_of(record, "type") == Value("exchange");
  std::string text;
  const auto add = [&](std::string_view name, const Value& value) {
    ((text += text.empty() ? "{\"" : ",\"") += name) += "\":" + as_json(value, decimals);
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(value_of(record, i) == value_of(record, all[i].name));
    if (all[i].name == "interpacket_times" && is_exchange) {
      for (const std::string& header : headers) add(header, value_of(record, header));
    }
    if (is_exchange ? all[i].in_exchanges : all[i].in_connections) {
      add(all[i].name, value_of(record, i));
    } else {
      CHECK(value_of(record, i) == Value());
    }
  }
  return text + "}";
}

TEST_CASE("library: the typed values of a record and of its copy are those of its JSON") {
  for (const std::string name : {"s3-session", "loss", "h2", "tls13", "close", "vlan", "qinq", "ipv6", "nanoseconds"}) {
    CAPTURE(name);
    const std::string capture = slurp("fixtures/" + name + ".pcap");
    CaptureOptions options;
    options.packets = options.connections = true;
    options.headers = {"server", "x-amz-request-id"};
    std::vector<std::shared_ptr<const Record>> copies;
    std::vector<std::string> texts;
    Capture reader(options, [&](const Record& record) {
      copies.push_back(copy_of(record));
      texts.push_back(json_of(record));
    });
    reader.feed(capture.data(), capture.size());
    CHECK(reader.finish());
    REQUIRE(!copies.empty());
    for (std::size_t i = 0; i < copies.size(); ++i) {
      CHECK(json_of(*copies[i]) == texts[i]);
      CHECK(object_of(*copies[i], {"header_server", "x-amz-request-id"}, name == "nanoseconds" ? 9 : 6) == texts[i]);
      CHECK(value_of(*copies[i], "no such column") == Value());
      CHECK(value_of(*copies[i], columns().size()) == Value());
    }
  }
}

TEST_CASE("library: two threads can read two captures") {
  const std::string names[] = {"fixtures/loss.pcap", "fixtures/h2.pcap"};
  std::string got[2];
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const std::string capture = slurp(names[i]);
      for (int again = 0; again < 5; ++again) got[i] = feed_by(capture, 1000, names[i]).records;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(got[0] == golden_records("loss"));
  CHECK(got[1] == golden_records("h2"));
}

}  // namespace
}  // namespace wirelap
