// record/, output/ and base/output: phases and causes, escaping, the formats of records, the output buffer.

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/output.h"
#include "output/classic.h"
#include "output/csv.h"
#include "output/escape.h"
#include "output/json.h"
#include "record/record.h"
#include "record/times.h"
#include "output/table.h"
#include "support/guarded.h"
#include "support/packets.h"

namespace wirelap::test {
namespace {

std::string written(const std::function<void(Output&)>& write) {
  Output output(-1);
  write(output);
  return std::string(output.text());
}

/// What `write` writes into `room` bytes; AddressSanitizer detects a byte after them.
template <class Write>
std::string written_in(std::size_t room, const Write& write) {
  const std::unique_ptr<char[]> bytes(new char[room]);
  return {bytes.get(), write(bytes.get())};
}

std::string json_of(std::string_view text) {
  const std::string quoted = written_in(escaped_room(text.size()), [&](char* at) { return write_json_string(at, text); });
  REQUIRE(quoted.size() >= 2);
  CHECK(quoted.front() == '"');
  CHECK(quoted.back() == '"');
  return quoted.substr(1, quoted.size() - 2);
}
std::string csv_of(std::string_view text) {
  return written_in(escaped_room(text.size()), [&](char* at) { return write_csv_text(at, text); });
}

/// The UTF-8 of a code point, also of a surrogate, as in the table of RFC 3629, section 3.
std::string utf8_of(std::uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

constexpr const char* kBroken = "\xef\xbf\xbd";  // U+FFFD

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

// ---- escape

TEST_CASE("escape: utf8_length accepts every code point except surrogates (RFC 3629, section 3)") {
  std::uint32_t wrong = 0;
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    const std::string text = utf8_of(code);
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (utf8_length(text) != (surrogate ? 0 : text.size())) wrong = code;
  }
  CHECK(wrong == 0);
  CHECK(utf8_length("") == 0);
}

TEST_CASE("escape: each byte of invalid UTF-8 becomes U+FFFD (RFC 3629, sections 3 and 10)") {
  struct Case {
    std::string name;
    std::string text;
    std::string shown;
  };
  const Case cases[] = {
      {"continuation alone", "\x80", kBroken},
      {"continuations alone", "\x80\xbf\x90", repeated(kBroken, 3)},
      {"overlong /, 2 bytes", "\xc0\xaf", repeated(kBroken, 2)},
      {"overlong DEL, 2 bytes", "\xc1\xbf", repeated(kBroken, 2)},
      {"overlong /, 3 bytes", "\xe0\x80\xaf", repeated(kBroken, 3)},
      {"overlong U+07FF, 3 bytes", "\xe0\x9f\xbf", repeated(kBroken, 3)},
      {"overlong /, 4 bytes", "\xf0\x80\x80\xaf", repeated(kBroken, 4)},
      {"overlong U+FFFF, 4 bytes", "\xf0\x8f\xbf\xbf", repeated(kBroken, 4)},
      {"overlong quote", "\xc0\xa2", repeated(kBroken, 2)},
      {"first surrogate", "\xed\xa0\x80", repeated(kBroken, 3)},
      {"last surrogate", "\xed\xbf\xbf", repeated(kBroken, 3)},
      {"a pair of surrogates (CESU-8)", "\xed\xa0\xbd\xed\xb8\x80", repeated(kBroken, 6)},
      {"U+110000", "\xf4\x90\x80\x80", repeated(kBroken, 4)},
      {"lead F5", "\xf5\x80\x80\x80", repeated(kBroken, 4)},
      {"5 bytes", "\xf8\x88\x80\x80\x80", repeated(kBroken, 5)},
      {"FE and FF", "\xfe\xff", repeated(kBroken, 2)},
      {"2 bytes, cut", "\xc3", kBroken},
      {"3 bytes, cut", "\xe2\x82", repeated(kBroken, 2)},
      {"4 bytes, cut", "\xf0\x9f\x98", repeated(kBroken, 3)},
      {"a sequence broken off by text", "\xe2\x82" "a", repeated(kBroken, 2) + "a"},
      {"a sequence broken off by another", "\xe2\x82\xc3\xa4", repeated(kBroken, 2) + "\xc3\xa4"},
      {"a lead before an escape", "\xc3\x1b", std::string(kBroken) + "\\u001b"},
      {"the character itself", kBroken, kBroken},
      {"neighbours of the surrogates", "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
      {"the last code point", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
      {"2, 3 and 4 bytes", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    CHECK(json_of(test.text) == test.shown);
    CHECK(csv_of(test.text) == test.shown);
  }
}

// RFC 8259, section 7. C1 controls have effects on terminals as C0 controls have (ECMA-48, section 5.3).
TEST_CASE("escape: each of the 256 bytes, and the C1 controls in UTF-8") {
  const auto escape_of = [](unsigned code) {
    constexpr char kDigits[] = "0123456789abcdef";
    return std::string("\\u00") + kDigits[code >> 4] + kDigits[code & 15];
  };
  for (unsigned byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const std::string text(1, static_cast<char>(byte));
    const bool control = byte < 0x20 || byte == 0x7f;
    const std::string safe = control ? escape_of(byte) : byte >= 0x80 ? kBroken : text;
    CHECK(json_of(text) == (text == "\"" || text == "\\" ? "\\" + text : safe));
    CHECK(csv_of(text) == (text == "\"" ? "\"\"\"\"" : text == "," ? "\",\"" : safe));
    CHECK(json_of("a" + text + "b").size() == json_of(text).size() + 2);
  }
  for (unsigned code = 0x80; code < 0x100; ++code) {
    CAPTURE(code);
    const std::string text = utf8_of(code);
    CHECK(json_of(text) == (code < 0xa0 ? escape_of(code) : text));
    CHECK(csv_of(text) == (code < 0xa0 ? escape_of(code) : text));
  }
}

TEST_CASE("escape: any two or three bytes become valid UTF-8 without control characters") {
  const auto is_safe = [](std::string_view text) {
    while (!text.empty()) {
      const std::size_t length = utf8_length(text);
      const auto first = static_cast<unsigned char>(text[0]);
      const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
      if (length == 0 || first < 0x20 || first == 0x7f || c1) return false;
      text.remove_prefix(length);
    }
    return true;
  };
  std::string json, csv;
  const unsigned edges[] = {0x00, 0x1b, 0x22, 0x41, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff};
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const char pair[] = {static_cast<char>(first), static_cast<char>(second)};
      json += json_of({pair, 2}) + "|";
      csv += csv_of({pair, 2}) + "|";
    }
    for (const unsigned second : edges) {
      for (const unsigned third : edges) {
        const char triple[] = {static_cast<char>(first), static_cast<char>(second), static_cast<char>(third)};
        json += json_of({triple, 3});
        csv += csv_of({triple, 3});
      }
    }
  }
  CHECK(is_safe(json));
  CHECK(is_safe(csv));
}

TEST_CASE("escape: texts in JSON and in CSV") {
  struct Case {
    std::string text, json, csv;
  };
  const Case cases[] = {
      {"", "", ""},
      {"/a?b=c&d", "/a?b=c&d", "/a?b=c&d"},
      {"say \"hi\"", "say \\\"hi\\\"", "\"say \"\"hi\"\"\""},
      {"\"", "\\\"", "\"\"\"\""},
      {"a,b", "a,b", "\"a,b\""},
      {",", ",", "\",\""},
      {"C:\\x\\", "C:\\\\x\\\\", "C:\\x\\"},
      {"a\r\nb", "a\\u000d\\u000ab", "a\\u000d\\u000ab"},
      {"a\r\n,\"", "a\\u000d\\u000a,\\\"", "\"a\\u000d\\u000a,\"\"\""},
      {"\x1b]0;x\x07", "\\u001b]0;x\\u0007", "\\u001b]0;x\\u0007"},
      {"\xc2\x9b" "2J", "\\u009b2J", "\\u009b2J"},
      {std::string("nul\0!", 5), "nul\\u0000!", "nul\\u0000!"},
      {" padded ", " padded ", " padded "},
  };
  for (const Case& test : cases) {
    INFO(test.text);
    CHECK(json_of(test.text) == test.json);
    CHECK(csv_of(test.text) == test.csv);
  }
}

TEST_CASE("escape: a byte that needs an escape is found at each position of each length") {
  GuardedBuffer guarded;
  const std::string special[] = {"\"", "\\", ",", "\x1f", std::string(1, '\0'), "\x7f", "\x80", "\xff", "\xc3\xa4", " ", "~", "!"};
  for (std::size_t length = 0; length <= 34; ++length) {
    for (std::size_t place = 0; place <= length; ++place) {
      for (const std::string& found : special) {
        std::string text = std::string(place, 'a') + found + std::string(length - place, 'z');
        const std::string json = std::string(place, 'a') + json_of(found) + std::string(length - place, 'z');
        std::string csv = std::string(place, 'a') + csv_of(found) + std::string(length - place, 'z');
        // In CSV the quotes are around the whole field.
        if (found == "\"" || found == ",") {
          csv = "\"" + std::string(place, 'a') + (found == "," ? "," : "\"\"") + std::string(length - place, 'z') + "\"";
        }
        const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        const std::string_view held = as_text(guarded.hold(bytes));
        if (json_of(held) != json || csv_of(held) != csv) FAIL(text);
      }
    }
  }
  const std::string controls(100, '\x01');
  CHECK(json_of(controls) == repeated("\\u0001", 100));
  CHECK(csv_of(controls + "\"").size() == 100 * 6 + 4);
}

TEST_CASE("escape: fit_text returns printable ASCII that is not longer than its width") {
  struct Case {
    std::string text;
    std::size_t width;
    std::string shown;
  };
  const Case cases[] = {{"", 5, ""},
                        {"abcd", 5, "abcd"},
                        {"abcde", 5, "abcde"},
                        {"abcdef", 5, "abc.."},
                        {"abcdefghijklmnop", 5, "abc.."},
                        {"\x1b", 4, "\\x1b"},
                        {"\x1b", 3, "\\.."},
                        {"ab\x1b", 6, "ab\\x1b"},
                        {"ab\x1b" "c", 6, "ab\\x.."},
                        {"\xc3\xa4", 8, "\\xc3\\xa4"},
                        {"abc", 2, ".."},
                        {"ab", 2, "ab"}};
  for (const Case& test : cases) {
    INFO(test.text);
    CAPTURE(test.width);
    CHECK(fit_text(test.text, test.width) == test.shown);
  }
  for (std::size_t length = 0; length < 40; ++length) {
    for (std::size_t width = 2; width < 40; ++width) {
      const std::string plain = fit_text(std::string(length, 'x'), width);
      CHECK(plain.size() == std::min(length, width));
      CHECK(fit_text(std::string(length, '\n'), width).size() <= width);
    }
  }
}

// RFC 5952, section 4
TEST_CASE("escape: IPv4 and IPv6 addresses as text") {
  struct Case {
    int version;
    std::string in, shown;
  };
  const Case cases[] = {{4, "0.0.0.0", "0.0.0.0"},
                        {4, "255.255.255.255", "255.255.255.255"},
                        {4, "10.0.200.3", "10.0.200.3"},
                        {6, "::", "::"},
                        {6, "::1", "::1"},
                        {6, "2001:0db8::0001", "2001:db8::1"},
                        {6, "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                        {6, "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
                        {6, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                        {6, "2001:DB8::ABCD", "2001:db8::abcd"},
                        {6, "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
                        {6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
  for (const Case& test : cases) {
    const Buffer bytes = address_bytes(test.version == 4 ? AF_INET : AF_INET6, test.in);
    const Address address = test.version == 4 ? Address{0, kIpv4Mapped | load_be32(&bytes[0])}
                                              : Address{load_be64(&bytes[0]), load_be64(&bytes[8])};
    CHECK(written([&](Output& output) { put_address(output, address, test.version); }) == test.shown);
  }
}

TEST_CASE("escape: IPv6 addresses are those that inet_ntop writes, whichever groups are zero") {
  std::uint64_t random = 1;
  const auto next = [&] { return random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407; };
  const auto check = [&](const std::uint8_t (&bytes)[16]) {
    char expected[INET6_ADDRSTRLEN];
    const Address address{load_be64(bytes), load_be64(bytes + 8)};
    const std::string shown = written_in(kValueRoom, [&](char* at) { return write_address(at, address, 6); });
    if (shown != ::inet_ntop(AF_INET6, bytes, expected, sizeof expected)) FAIL(std::string(expected));
  };
  for (unsigned zeros = 0; zeros < 256; ++zeros) {
    for (int round = 0; round < 20; ++round) {
      std::uint8_t bytes[16] = {};
      for (unsigned i = 0; i < 8; ++i) {
        if ((zeros >> i & 1) != 0) continue;
        const auto group = static_cast<std::uint16_t>((next() >> 40) >> (round % 4 * 4) | 1);
        bytes[2 * i] = static_cast<std::uint8_t>(group >> 8);
        bytes[2 * i + 1] = static_cast<std::uint8_t>(group);
      }
      check(bytes);
      bytes[10] = bytes[11] = 0xff;
      check(bytes);
    }
  }
}

// ---- short numbers

TEST_CASE("table: short_duration at the limits of its units") {
  constexpr Nanos us = 1000, ms = 1000 * us, s = 1000 * ms, minute = 60 * s, hour = 60 * minute;
  struct Case {
    Nanos duration;
    std::string shown;
  };
  const Case cases[] = {
      {kUnknownTime, "-"},         {0, "0"},                    {499, "0us"},
      {500, "1us"},                {1 * us, "1us"},             {412 * us, "412us"},
      {999 * us, "999us"},         {999'499, "999us"},          {999'500, "1.00ms"},
      {1 * ms, "1.00ms"},          {1'234'567, "1.23ms"},       {9'994'999, "9.99ms"},
      {9'995'001, "10.0ms"},       {10 * ms, "10.0ms"},         {45'600 * us, "45.6ms"},
      {99'949'999, "99.9ms"},      {99'950'001, "100ms"},       {999'499'999, "999ms"},
      {999'500'001, "1.00s"},      {1 * s, "1.00s"},            {9'994 * ms, "9.99s"},
      {9'996 * ms, "10.0s"},       {12'300 * ms, "12.3s"},      {99'949 * ms, "99.9s"},
      {99'951 * ms, "1m40s"},      {100 * s, "1m40s"},          {245 * s, "4m05s"},
      {59 * minute, "59m00s"},     {5999 * s, "99m59s"},        {5'999'499 * ms, "99m59s"},
      {5'999'501 * ms, "1h40m"},   {6000 * s, "1h40m"},         {2 * hour + 13 * minute, "2h13m"},
      {359'999 * s, "99h59m"},     {360'000 * s, "4d"},         {10 * 24 * hour, "10d"},
      {4'294'967'295 * s, "49710d"},  // the longest in a capture, unless a fraction is out of range
      {4'294'967'295 * s + 4'294'967'295 * us, "49710d"},
  };
  for (const Case& test : cases) {
    CAPTURE(test.duration);
    CHECK(short_duration(test.duration) == test.shown);
  }
}

TEST_CASE("table: short_duration has at most six columns around each limit and power of two") {
  const Nanos edges[] = {500, 999'500, 9'995'000, 99'950'000, 999'500'000, 9'995'000'000, 99'950'000'000,
                         6'000'000'000'000, 360'000'000'000'000};
  const auto check = [](Nanos duration) {
    if (duration > 0 && short_duration(duration).size() > 6) FAIL(duration);
  };
  for (const Nanos edge : edges) {
    for (Nanos near = -2000; near <= 2000; ++near) check(edge + near);
    for (Nanos near = -1000; near <= 1000; ++near) check(edge + near * (edge / 1000));
  }
  for (Nanos power = 1; power < 4'000'000'000'000'000'000; power *= 2) {
    for (const Nanos near : {-1, 0, 1}) check(power + near);
  }
}

TEST_CASE("table: short_bytes at the limits of its units, with at most five columns") {
  struct Case {
    std::uint64_t bytes;
    std::string shown;
  };
  const Case cases[] = {{0, "0"},
                        {980, "980"},
                        {999, "999"},
                        {1000, "1.0k"},
                        {1049, "1.0k"},
                        {1051, "1.1k"},
                        {1200, "1.2k"},
                        {9949, "9.9k"},
                        {9951, "10k"},
                        {45'600, "46k"},
                        {999'499, "999k"},
                        {999'500, "1.0M"},
                        {1'000'000, "1.0M"},
                        {999'499'999, "999M"},
                        {999'500'000, "1.0G"},
                        {5'000'000'000'000, "5.0T"},
                        {5'000'000'000'000'000, "5.0P"},
                        {std::numeric_limits<std::uint64_t>::max(), "18E"}};
  for (const Case& test : cases) {
    CAPTURE(test.bytes);
    CHECK(short_bytes(test.bytes) == test.shown);
  }
  for (std::uint64_t power = 1; power != 0; power *= 2) CHECK(short_bytes(power).size() <= 5);
  for (std::uint64_t power = 1; power < 1'000'000'000'000'000'000; power *= 10) {
    for (std::uint64_t near = 0; near <= 200; ++near) {
      const std::uint64_t below = power - std::min(power, near * (power / 10'000 + 1));
      if (short_bytes(below).size() > 5) FAIL(below);
    }
  }
}

// Expected: what repr() of Python 3 returned.
TEST_CASE("classic: python_seconds writes what Python's repr writes") {
  struct Case {
    std::int64_t micros;
    std::string shown;
  };
  const Case cases[] = {{0, "0.0"},
                        {1'000'000, "1.0"},
                        {-1'000'000, "-1.0"},
                        {100'000, "0.1"},
                        {300'000, "0.3"},
                        {1, "1e-06"},
                        {-1, "-1e-06"},
                        {9, "9e-06"},
                        {10, "1e-05"},
                        {22, "2.2e-05"},
                        {90, "9e-05"},
                        {99, "9.9e-05"},
                        {100, "0.0001"},
                        {101, "0.000101"},
                        {123, "0.000123"},
                        {1'234, "0.001234"},
                        {12'345'678, "12.345678"},
                        {-12'345'678, "-12.345678"},
                        {100'000'000, "100.0"},
                        {123'456'000'000, "123456.0"},
                        {999'999'999'999, "999999.999999"},
                        {1'700'000'000'123'456, "1700000000.123456"},
                        {4'294'967'295'999'999, "4294967295.999999"},
                        {4'600'000'000'000'000, "4600000000.0"},
                        {-4'599'999'999'999'999, "-4599999999.999999"}};
  for (const Case& test : cases) CHECK(python_seconds(test.micros) == test.shown);
}

// Compares with std::to_chars, which would make the program too large.
TEST_CASE("classic: python_seconds writes the fewest digits that are read as the same number") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t micros = static_cast<std::int64_t>(random() % 4'600'000'000'000'000) >> (i % 52);
    char digits[64];
    const double value = static_cast<double>(micros) / 1e6;
    const bool small = value != 0 && value < 1e-4;
    const auto format = small ? std::chars_format::scientific : std::chars_format::fixed;
    std::string expected(digits, std::to_chars(digits, digits + sizeof digits, value, format).ptr);
    if (!small && expected.find('.') == std::string::npos) expected += ".0";
    if (python_seconds(micros) != expected) FAIL(micros);
  }
}

// ---- phases

constexpr Nanos kMs = 1'000'000;

Message message(Nanos first, Nanos last, bool complete = true) {
  Message made;
  made.first = first;
  made.last = last;
  made.begun = true;
  made.complete = complete;
  return made;
}

Handshake handshake(Nanos syn, Nanos syn_ack, Nanos ack) {
  Handshake made;
  made.first_syn = made.last_syn = syn;
  made.first_syn_ack = made.syn_ack = syn_ack;
  made.ack = ack;
  return made;
}

TEST_CASE("phases: the phases of each kind of exchange") {
  constexpr Nanos none = kUnknownTime;
  const Handshake usual = handshake(0, 10 * kMs, 20 * kMs);
  const Message unseen;
  struct Case {
    std::string name;
    std::uint64_t number;
    Handshake handshake;
    Message request, response;
    Nanos ended;
    Nanos connect, send, wait, receive;  // in ms; their sum is the total; none: unknown
  };
  const Case cases[] = {
      {"usual", 1, usual, message(25 * kMs, 30 * kMs), message(50 * kMs, 90 * kMs), 90 * kMs, 20, 5, 20, 40},
      {"one packet each", 1, usual, message(25 * kMs, 25 * kMs), message(50 * kMs, 50 * kMs), 50 * kMs, 20, 0, 25, 0},
      {"the second of a connection", 2, usual, message(25 * kMs, 30 * kMs), message(50 * kMs, 90 * kMs), 90 * kMs, 0, 5, 20, 40},
      {"handshake not captured", 1, {}, message(25 * kMs, 30 * kMs), message(50 * kMs, 90 * kMs), 90 * kMs, none, 5, 20, 40},
      {"SYN not captured", 1, handshake(none, 10 * kMs, 20 * kMs), message(25 * kMs, 30 * kMs), message(50 * kMs, 90 * kMs),
       90 * kMs, none, 5, 20, 40},
      // For example an Expect that fails (RFC 9110, section 10.1.1), or an upload that is rejected.
      {"response before the request's end", 1, usual, message(25 * kMs, 70 * kMs), message(50 * kMs, 90 * kMs), 90 * kMs, 20, 45, 0, 20},
      {"response complete before the request's end", 1, usual, message(25 * kMs, 70 * kMs), message(50 * kMs, 60 * kMs), 70 * kMs, 20, 45, 0, 0},
      {"response, and a request that is cut", 1, usual, message(25 * kMs, 40 * kMs, false), message(50 * kMs, 60 * kMs), 60 * kMs, 20, 15, 10, 10},
      {"unanswered", 1, usual, message(25 * kMs, 30 * kMs), unseen, 100 * kMs, 20, 5, 70, 0},
      {"unanswered, end unknown", 1, usual, message(25 * kMs, 30 * kMs), unseen, none, 20, 5, 0, 0},
      {"request cut", 1, usual, message(25 * kMs, 30 * kMs, false), unseen, 100 * kMs, 20, 75, 0, 0},
      {"response cut", 1, usual, message(25 * kMs, 30 * kMs), message(50 * kMs, 60 * kMs, false), 100 * kMs, 20, 5, 20, 50},
      {"response without its request", 1, {}, unseen, message(50 * kMs, 90 * kMs), 90 * kMs, none, none, none, 40},
      // RFC 7413: the request is in the SYN, or before the handshake's end.
      {"Fast Open, request in the SYN", 1, usual, message(0, 0), message(10 * kMs, 30 * kMs), 30 * kMs, 0, 0, 10, 20},
      {"Fast Open, request after the SYN", 1, usual, message(5 * kMs, 5 * kMs), message(12 * kMs, 30 * kMs), 30 * kMs, 5, 0, 7, 18},
      {"clock set back before the response", 1, usual, message(25 * kMs, 30 * kMs), message(20 * kMs, 22 * kMs), 22 * kMs, 20, 5, 0, 0},
      {"clock set back inside the request", 1, usual, message(25 * kMs, 21 * kMs), message(28 * kMs, 29 * kMs), 29 * kMs, 20, 0, 3, 1},
      {"clock set back inside the handshake", 1, handshake(20 * kMs, 10 * kMs, 5 * kMs), message(25 * kMs, 30 * kMs),
       message(50 * kMs, 90 * kMs), 90 * kMs, 0, 5, 20, 40},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    Exchange exchange;
    exchange.number = test.number;
    exchange.request = test.request;
    exchange.response = test.response;
    exchange.ended = test.ended;
    const Phases phases = measure_phases(exchange, test.handshake);
    const auto in_ms = [](Nanos time) { return time == kUnknownTime ? time : time / kMs; };
    CHECK(in_ms(phases.connect) == test.connect);
    CHECK(in_ms(phases.send) == test.send);
    CHECK(in_ms(phases.wait) == test.wait);
    CHECK(in_ms(phases.receive) == test.receive);
    Nanos sum = 0;
    for (const Nanos phase : {phases.connect, phases.tls, phases.send, phases.wait, phases.receive}) {
      if (phase == kUnknownTime) continue;
      CHECK(phase >= 0);
      sum += phase;
    }
    CHECK(phases.total == sum);
  }
}

TEST_CASE("phases: none is negative and they sum to the total, in whatever order the times are") {
  const Nanos times[] = {0, 3, 7};
  for (unsigned pick = 0; pick < 2187; ++pick) {  // 3^7
    unsigned rest = pick;
    const auto next = [&] {
      const Nanos time = times[rest % 3];
      rest /= 3;
      return time;
    };
    Exchange exchange;
    exchange.number = 1;
    const Nanos first = next(), last = next(), answer = next(), end = next();
    exchange.request = message(first, last);
    exchange.response = message(answer, end);
    exchange.ended = end;
    const Nanos syn = next(), syn_ack = next(), ack = next();
    const Phases phases = measure_phases(exchange, handshake(syn, syn_ack, ack));
    const bool negative = phases.connect < 0 || phases.send < 0 || phases.wait < 0 || phases.receive < 0;
    if (negative || phases.total != phases.connect + phases.tls + phases.send + phases.wait + phases.receive) FAIL(pick);
  }
}

TEST_CASE("causes: none is negative and they sum to the total") {
  const Nanos parts[] = {0, 3 * kMs, 50 * kMs};
  for (unsigned pick = 0; pick < 729; ++pick) {  // 3^6
    Exchange exchange;
  exchange.attributed = true;
    unsigned rest = pick;
    for (Nanos& part : exchange.causes.by) {
      part = parts[rest % 3];
      rest /= 3;
    }
    for (const std::uint64_t number : {1, 2}) {
      exchange.number = number;
      exchange.request = message(25 * kMs, 30 * kMs);
      exchange.response = message(50 * kMs, 90 * kMs);
      const Handshake usual = handshake(0, 10 * kMs, 20 * kMs);
      const Phases phases = measure_phases(exchange, usual);
      const CauseTimes spent = measure_causes(exchange, usual, phases);
      bool negative = false;
      for (const Nanos part : spent.by) negative = negative || part < 0;
      if (negative || spent.total() != phases.total) FAIL(pick);
    }
  }
}

TEST_CASE("causes: waiting for the retransmission of a SYN or SYN-ACK is loss") {
  Exchange exchange;
  exchange.attributed = true;
  exchange.number = 1;
  exchange.request = exchange.response = message(1200 * kMs, 1200 * kMs);
  Handshake resent = handshake(0, 1010 * kMs, 1020 * kMs);
  resent.last_syn = 1000 * kMs;
  const auto causes = [&] { return measure_causes(exchange, resent, measure_phases(exchange, resent)); };
  CHECK(causes().by[kLoss] == 1000 * kMs);
  CHECK(causes().by[kNetwork] == 20 * kMs);
  CHECK(largest_cause(causes()) == kLoss);
  resent.last_syn = 0;
  resent.first_syn_ack = 10 * kMs;
  CHECK(causes().by[kLoss] == 1000 * kMs);
  CHECK(causes().by[kNetwork] == 20 * kMs);
  exchange.attributed = false;
  for (const Nanos part : causes().by) CHECK(part == kUnknownTime);
}

// ---- formats

/// An exchange whose texts are all `target`, as if a peer had chosen them.
class Sample {
 public:
  explicit Sample(const std::string& target = "/") {
    connection.number = 3;
    connection.key = {{{0, kIpv4Mapped | 0x0a000001}, {0, kIpv4Mapped | 0x0a000002}}, {40000, 80}, 0};
    connection.set_client(Side::low);
    connection.handshake = handshake(0, 10 * kMs, 20 * kMs);
    exchange.number = 1;
    exchange.method = "GET";
    exchange.host = exchange.target = target;
    exchange.status = 200;
    exchange.request = message(25 * kMs, 30 * kMs);
    exchange.response = message(50 * kMs, 90 * kMs);
    exchange.ended = 90 * kMs;
    capture_ = target;
  }

  Record record() const {
    Record record;
    fill_record(record, {capture_, 6}, connection, exchange, wanted);
    return record;
  }

  Record connection_record() const {
    Record record;
    fill_record(record, {capture_, 6}, connection, Side::low);
    return record;
  }

  /// `count` records in one output, after `before` other bytes.
  std::string as(std::string_view format, int count = 1, bool colour = false, std::size_t before = 0) const {
    return write(format, std::vector<Record>(static_cast<std::size_t>(count), record()), colour, before);
  }
  std::string connection_as(std::string_view format) const { return write(format, {connection_record()}, false, 0); }

  Exchange exchange;
  Connection connection;
  Wanted wanted;

 private:
  std::string write(std::string_view format, const std::vector<Record>& records, bool colour, std::size_t before) const {
    Output output(-1);
    output.put(std::string(before, ' '));
    const std::unique_ptr<RecordWriter> writer = make_writer(format, output, wanted, TableStyle{colour, 100});
    for (const Record& record : records) writer->write(record);
    writer->finish();
    return std::string(output.text());
  }

  std::string capture_;
};

/// The fields of a CSV line (RFC 4180, section 2) without its CRLF.
std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line.substr(i, 2) == "\"\"") fields.back() += line[i++];
    else if (line[i] == '"') quoted = !quoted;
    else if (line[i] == ',' && !quoted) fields.emplace_back();
    else fields.back() += line[i];
  }
  CHECK_FALSE(quoted);
  return fields;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The value of `key` in a flat JSON object, as JSON.
std::string json_value(const std::string& object, const std::string& key) {
  const std::size_t at = object.find("\"" + key + "\":");
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + key.size() + 3;
  return object.substr(begin, object.find_first_of(",}", begin) - begin);
}

/// The names of the columns that every record of this type has, in order.
std::vector<std::string> names_of(RecordType type) {
  std::vector<std::string> names;
  for (const Column& column : kColumns) {
    if (column.is_in(type)) names.emplace_back(column.name);
  }
  return names;
}

TEST_CASE("csv: with connections the header is the union of the columns, and each value is below its name") {
  Sample sample;
  sample.wanted.connections = true;
  // Columns of headers that are named like columns of connections.
  sample.wanted.headers = {"ending", "server"};
  name_header_columns(sample.wanted);
  sample.wanted.steps = true;
  const std::string json = sample.connection_as("ndjson");
  const std::vector<std::string> csv = lines_of(sample.connection_as("csv"));
  const std::vector<std::string> both = lines_of(sample.as("csv"));
  REQUIRE(csv.size() == 2);
  REQUIRE(both.size() == 2);
  CHECK(csv[0] == both[0]);
  const std::vector<std::string> names = csv_fields(csv[0].substr(0, csv[0].size() - 1));
  const std::vector<std::string> fields = csv_fields(csv[1].substr(0, csv[1].size() - 1));
  const std::size_t usual = names_of(RecordType::exchange).size();  // then two headers and interpacket_times
  CHECK(names.size() == std::size(kColumns) + 2);
  CHECK(csv_fields(both[1].substr(0, both[1].size() - 1)).size() == names.size());
  REQUIRE(fields.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    CAPTURE(names[i]);
    const bool is_header = i >= usual && i < usual + 3;
    const bool has = !is_header && json.find("\"" + names[i] + "\":") != std::string::npos;
    std::string value = has ? json_value(json, names[i]) : "null";
    value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
    CHECK(fields[i] == (value == "null" ? "" : value));
  }
  std::size_t at = 0;
  for (const std::string& name : names_of(RecordType::connection)) {
    const std::size_t found = json.find("\"" + name + "\":", at);
    CAPTURE(name);
    REQUIRE(found != std::string::npos);
    at = found + 1;
  }
  CHECK(std::count(json.begin(), json.end(), ':') == static_cast<std::ptrdiff_t>(names_of(RecordType::connection).size()));
}

TEST_CASE("formats: a header that is named like a column gets the prefix header_") {
  Sample sample;
  sample.wanted.headers = {"server", "x-amz-id-2", "total_s", "ended_by", "interpacket_times"};
  name_header_columns(sample.wanted);
  CHECK(sample.wanted.header_columns == std::vector<std::string>{"header_server", "x-amz-id-2", "header_total_s",
                                                                 "header_ended_by", "header_interpacket_times"});
  const std::string json = sample.as("ndjson");
  CHECK(json.find("\"header_server\":") != std::string::npos);
  CHECK(json.find("\"server\":") == json.rfind("\"server\":"));
}

TEST_CASE("formats: csv and ndjson have the same columns in the same order") {
  Sample sample;
  const std::vector<std::string> csv = lines_of(sample.as("csv"));
  REQUIRE(csv.size() == 2);
  CHECK(csv[0].back() == '\r');
  CHECK(csv[1].back() == '\r');
  const std::vector<std::string> names = names_of(RecordType::exchange);
  CHECK(csv_fields(csv[0].substr(0, csv[0].size() - 1)) == names);
  CHECK(csv_fields(csv[1]).size() == names.size());

  const std::string json = sample.as("ndjson");
  CHECK(json.starts_with("{\"type\":"));
  std::size_t at = 0;
  for (const std::string& column : names) {
    CAPTURE(column);
    at = json.find("\"" + column + "\":", at + 1);
    REQUIRE(at != std::string::npos);
  }
}

TEST_CASE("ndjson: the values of a record, and null for what is not known") {
  Sample sample;
  std::string json = sample.as("ndjson");
  CHECK(json_value(json, "connection") == "3");
  CHECK(json_value(json, "client") == "\"10.0.0.1\"");
  CHECK(json_value(json, "server_port") == "80");
  CHECK(json_value(json, "start") == "0.025000");
  CHECK(json_value(json, "connect_s") == "0.020000");
  CHECK(json_value(json, "total_s") == "0.085000");
  CHECK(json_value(json, "ttfb_s") == "0.025000");
  CHECK(json_value(json, "rtt_s") == "0.020000");
  CHECK(json_value(json, "vlan") == "null");
  CHECK(json_value(json, "idle_s") == "null");
  CHECK(json_value(json, "outcome") == "\"complete\"");

  sample.exchange.request = {};
  sample.exchange.method.clear();
  sample.exchange.status = Exchange::kNoStatus;
  sample.connection.set_client(Side::high);
  sample.connection.handshake = {};
  sample.connection.key.tag = 1u << 24 | 100;
  json = sample.as("ndjson");
  for (const char* const column : {"start", "method", "status", "connect_s", "send_s", "ttfb_s", "rtt_s"}) {
    CHECK(json_value(json, column) == "null");
  }
  CHECK(json_value(json, "client") == "\"10.0.0.2\"");
  CHECK(json_value(json, "client_port") == "80");
  CHECK(json_value(json, "vlan") == "100");
  sample.connection.key.tag = 2u << 24 | 200 << 12 | 100;
  CHECK(json_value(sample.as("ndjson"), "vlan") == "\"100.200\"");
}

TEST_CASE("formats: texts that a peer chose cannot break a record") {
  const std::string hostile[] = {"a\",\"x\":\"b", "\r\nGET", "a,b", "\"", "\"\"", "\\", "\\u0022", "},{", "\xff\xfe", "=1+1",
                                 std::string("\0", 1), std::string(70'000, '"')};
  for (const std::string& target : hostile) {
    INFO(target.substr(0, 20));
    Sample sample(target);
    const std::vector<std::string> csv = lines_of(sample.as("csv", 2));
    REQUIRE(csv.size() == 3);
    for (const std::string& line : csv) CHECK(csv_fields(line).size() == names_of(RecordType::exchange).size());
    const std::vector<std::string> json = lines_of(sample.as("ndjson", 2));
    REQUIRE(json.size() == 2);
    for (const std::string& line : json) {
      std::size_t quotes = 0;
      for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') ++i;
        else if (line[i] == '"') ++quotes;
      }
      CHECK(quotes % 2 == 0);
      CHECK(line.ends_with("\"outcome\":\"complete\"}"));
    }
  }
}

TEST_CASE("formats: a record is the same wherever it begins in the output buffer") {
  Sample sample("\"" + std::string(100, 'x'));
  sample.wanted.headers = {std::string(200, 'h')};
  sample.wanted.steps = true;
  for (std::uint64_t i = 0; i < 9; ++i) sample.exchange.steps.push_back({static_cast<Nanos>(i) * kMs, i, i});
  for (const std::string_view format : {"ndjson", "csv", "json"}) {
    const std::string alone = sample.as(format, 2);
    for (std::size_t before = 77'000; before < 82'200; before += 7) {
      if (sample.as(format, 2, false, before) != std::string(before, ' ') + alone) FAIL(before);
    }
  }
}

TEST_CASE("formats: a record with the longest values fits wherever it begins in the output buffer") {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  Sample sample(std::string(64, '\x01'));
  Exchange& exchange = sample.exchange;
  exchange.method = exchange.alpn = exchange.target;
  exchange.status = exchange.grpc_status = std::numeric_limits<int>::min();
  for (Message* message : {&exchange.request, &exchange.response}) message->bytes = message->body_bytes = kMost;
  exchange.number = exchange.missing_bytes = exchange.tcp.packets = kMost;
  exchange.idle = exchange.max_gap = std::numeric_limits<Nanos>::min() + 1;
  sample.connection.number = kMost;
  sample.connection.key.tag = 6u << 26 | 2u << 24 | 0xffffff;
  for (const std::string_view format : {"ndjson", "csv"}) {
    const std::string alone = sample.as(format);
    for (std::size_t before = 73'000; before < 82'000; before += 63) {
      if (sample.as(format, 1, false, before) != std::string(before, ' ') + alone) FAIL(before);
    }
  }
}

TEST_CASE("json: the array is written in large pieces") {
  const int file = ::memfd_create("output", MFD_CLOEXEC);
  Output output(file);
  Sample sample;
  const std::unique_ptr<RecordWriter> writer = make_writer("json", output, sample.wanted);
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    writer->write(sample.record());
    most = std::max(most, output.text().size());
  }
  writer->finish();
  output.flush();
  CHECK(most < 70'000);
  CHECK(::lseek(file, 0, SEEK_END) == static_cast<off_t>(sample.as("json", 200).size()));
  ::close(file);
}

TEST_CASE("formats: an output without records is valid in its format") {
  Sample sample;
  CHECK(sample.as("ndjson", 0) == "");
  CHECK(sample.as("json", 0) == "[]\n");
  CHECK(lines_of(sample.as("csv", 0)).size() == 1);
  CHECK(sample.as("table", 0) == "no HTTP exchange found\n");
  const std::string object = sample.as("ndjson").substr(0, sample.as("ndjson").size() - 1);
  CHECK(sample.as("json", 1) == "[\n" + object + "\n]\n");
  CHECK(sample.as("json", 2) == "[\n" + object + ",\n" + object + "\n]\n");
}

TEST_CASE("table: a line has at most 100 columns, and no escape sequences but its own") {
  const std::string targets[] = {"/", "/" + std::string(200, 'x'), "/\x1b[2J" + std::string(50, '\x1b'), std::string(99, '\xff'), ""};
  const Outcome outcomes[] = {Outcome::complete, Outcome::no_response, Outcome::capture_end};
  for (const std::string& target : targets) {
    for (const Outcome outcome : outcomes) {
      Sample sample(target);
      sample.exchange.outcome = outcome;
      sample.exchange.method = std::string(target.size() > 100 ? 60 : 3, 'M');
      sample.exchange.response.bytes = std::numeric_limits<std::uint64_t>::max();
      sample.exchange.response.last = sample.exchange.ended = 359'999 * kNanosPerSecond;
      for (const std::string& line : lines_of(sample.as("table"))) {
        CHECK(line.size() <= 100);
        for (const char c : line) CHECK((c >= 0x20 && c < 0x7f));
      }
      const std::string coloured = sample.as("table", 1, true);
      std::string plain;
      for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\x1b') i = coloured.find('m', i);
        else plain += coloured[i];
      }
      CHECK(plain == sample.as("table"));
    }
  }
}

// ---- the classic format

TEST_CASE("classic: the pieces of a connection") {
  Classic classic({80});
  std::uint64_t number = 0;
  const auto take = [&](Nanos micros, const SegmentSpec& spec) {
    const Buffer frame = ethernet_frame(spec);
    Segment segment;
    REQUIRE(decode(make_record(frame, micros * kNanosPerMicro, ++number), segment) == DecodeError::none);
    classic.process(segment);
  };
  SegmentSpec client, server;
  client.flags = kSyn;
  std::swap(server.source, server.destination);
  std::swap(server.source_port, server.destination_port);
  take(0, client);
  server.flags = kSyn | kAck;
  take(22, server);
  client.flags = server.flags = kAck;
  client.payload = "GET / HTTP/1.1\r\n\r\n";
  take(1'000, client);
  server.payload = std::string(500, 'a');  // the first one gets no flag for being short
  server.ip_id = 65535;
  server.sequence = 0xfffffff0;  // offsets wrap at 2^32
  take(2'000, server);
  server.ip_id = 0;  // one more than 65535
  server.sequence += 500;
  server.payload.resize(100);
  take(2'050, server);
  server.ip_id = 2;
  server.sequence += 8900;
  take(1'002'050, server);  // after a sequence gap
  server.ip_id = 3;
  server.sequence += 9000 - 8900 - 500;
  server.payload = "b";
  take(1'002'051, server);
  server.ip_id = 4;
  server.sequence += 1;
  server.payload = std::string(1448, 'c');
  take(1'002'053, server);
  server.ip_id = 5;
  server.sequence += 1448;
  server.payload = "d";
  take(1'002'056, server);
  server.flags = kAck | kFin;
  take(1'002'060, server);
  const std::string expected = R"([
  {
    "addr": "10.0.0.2",
    "syn_rtt": 2.2e-05
  },
  {
    "bytes": 10450,
    "finish_latency": 1001056,
    "interpacket_times": [
      [
        5e-05,
        600
      ],
      [
        1.0,
        9500,
        "LAST_PACKET_SHORT",
        "IPID_GAP",
        "OUT_OF_ORDER"
      ],
      [
        1e-06,
        9001,
        "LAST_PACKET_SHORT",
        "OUT_OF_ORDER",
        "9000"
      ],
      [
        2e-06,
        10449,
        "LAST_PACKET_SHORT",
        "OUT_OF_ORDER"
      ],
      [
        3e-06,
        10450
      ]
    ],
    "start_latency": 1000
  }
]
)";
  CHECK(written([&](Output& output) { classic.finish(output); }) == expected);
  CHECK(written([](Output& output) { Classic({80}).finish(output); }) == "[]\n");
}

// ---- output

TEST_CASE("output: put_seconds cuts decimals and keeps the sign") {
  constexpr Nanos least = std::numeric_limits<Nanos>::min(), most = std::numeric_limits<Nanos>::max();
  struct Case {
    Nanos value;
    int decimals;
    std::string shown;
  };
  const Case cases[] = {{0, 6, "0.000000"},
                        {0, 9, "0.000000000"},
                        {1, 9, "0.000000001"},
                        {999, 6, "0.000000"},
                        {1000, 6, "0.000001"},
                        {999'999'999, 1, "0.9"},
                        {999'999'999, 6, "0.999999"},
                        {1'000'000'000, 6, "1.000000"},
                        {1'700'000'000'123'456'789, 9, "1700000000.123456789"},
                        {-1, 9, "-0.000000001"},
                        {-1'500'000'000, 3, "-1.500"},
                        {most, 9, "9223372036.854775807"},
                        {least, 9, "-9223372036.854775808"}};
  for (const Case& test : cases) {
    CAPTURE(test.value);
    CAPTURE(test.decimals);
    CHECK(written([&](Output& output) { output.put_seconds(test.value, test.decimals); }) == test.shown);
  }
}

TEST_CASE("digits: write_seconds with each number of decimals, around each carry and for many other values") {
  const auto check = [](Nanos value) {
    const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    std::string all = std::to_string(magnitude % kNanosPerSecond + kNanosPerSecond);
    all = (value < 0 ? "-" : "") + std::to_string(magnitude / kNanosPerSecond) + "." + all.substr(1);
    for (int decimals = 1; decimals <= 9; ++decimals) {
      const std::size_t length = all.size() - 9 + static_cast<std::size_t>(decimals);
      const std::string shown = written_in(kSecondsRoom, [&](char* at) { return write_seconds(at, value, decimals); });
      if (shown != all.substr(0, length)) FAIL(all << " as " << shown);
    }
  };
  for (Nanos unit = 1; unit < std::numeric_limits<Nanos>::max() / 10; unit *= 10) {
    for (Nanos count = 0; count <= 100; ++count) {
      if (count * unit / unit != count || unit > std::numeric_limits<Nanos>::max() / 100) break;
      for (Nanos near = -1; near <= 1; ++near) check(count * unit + near), check(-count * unit + near);
    }
  }
  for (Nanos value = 1; value < 2 * kNanosPerSecond; value += 179'989) check(value);
  check(std::numeric_limits<Nanos>::max());
  check(std::numeric_limits<Nanos>::min());
}

TEST_CASE("digits: write_integer around each power of ten") {
  const auto check = [](std::uint64_t value) {
    const std::string shown = written_in(kIntegerRoom, [&](char* at) { return write_integer(at, value); });
    if (shown != std::to_string(value)) FAIL(value);
  };
  std::uint64_t power = 1;
  for (int digits = 1; digits <= 19; ++digits, power *= 10) {
    for (std::uint64_t near = 0; near <= 1000; ++near) check(power + near), check(power - near), check(power * near);
  }
  check(std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("output: put_integer writes the digits of an integer") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{10}, ~std::uint64_t{0}}) {
    CHECK(written([&](Output& output) { output.put_integer(value); }) == std::to_string(value));
  }
}

TEST_CASE("output: without a descriptor all text stays in the buffer") {
  Output output(-1);
  for (int i = 0; i < 30'000; ++i) {
    output.put("line");
    output.end_line();
  }
  output.flush();
  CHECK(output.text().size() == 150'000);
  CHECK(output.error() == 0);
}

TEST_CASE("output: lines are written in large pieces") {
  const int file = ::memfd_create("output", MFD_CLOEXEC);
  Output output(file);
  const auto size = [&] { return ::lseek(file, 0, SEEK_END); };
  output.put(std::string(40'000, 'a'));
  output.end_line();
  CHECK(size() == 0);
  output.put(std::string(40'000, 'b'));
  CHECK(size() == 0);
  output.end_line();
  CHECK(size() == 80'002);
  CHECK(output.text().empty());
  output.put("rest");
  output.flush();
  CHECK(size() == 80'006);
  CHECK(output.error() == 0);
  ::close(file);
}

TEST_CASE("output: the first error is kept, and all text after it is dropped") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  Output output(full);
  output.put("line");
  output.end_line();
  CHECK(output.error() == 0);
  output.flush();
  CHECK(output.error() == ENOSPC);
  ::close(full);  // the next write would fail in another way
  output.put("more");
  output.flush();
  CHECK(output.error() == ENOSPC);
  CHECK(output.text().empty());
}

TEST_CASE("output: a pipe without a reader is the error EPIPE") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  ::close(pipe[0]);
  Output output(pipe[1]);
  output.put("line");
  output.flush();
  CHECK(output.error() == EPIPE);
  ::close(pipe[1]);
  std::signal(SIGPIPE, before);
}

TEST_CASE("output: flush waits for a slow reader of a nonblocking descriptor") {
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0);
  REQUIRE(::fcntl(pipe[1], F_SETPIPE_SZ, 4096) >= 4096);
  std::string expected;
  for (int i = 0; expected.size() < 300'000; ++i) expected += std::to_string(i) + "\n";
  std::string got;
  std::thread reader([&] {
    char piece[1000];
    for (;;) {
      const ssize_t count = ::read(pipe[0], piece, sizeof piece);
      if (count == 0) return;
      if (count < 0) std::this_thread::yield();
      else got.append(piece, static_cast<std::size_t>(count));
    }
  });
  Output output(pipe[1]);
  output.put(expected);
  output.flush();
  ::close(pipe[1]);
  reader.join();
  CHECK(output.error() == 0);
  CHECK(got == expected);
  ::close(pipe[0]);
}

}  // namespace
}  // namespace wirelap::test
