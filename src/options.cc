#include "options.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

#include "app/http1/head.h"

namespace wirelap {

namespace {

constexpr std::string_view kHelp =
    R"(wirelap reports how long each request in a packet capture took, and why.

usage: wirelap [OPTIONS] [[-r] CAPTURE...]     '-', or none: standard input

  -o, --output F     write to the file F ('-': standard output); repeatable.
                     Its suffix is the format: .ndjson, .json, .csv
  -f, --format F     format of the next -o, else of standard output:
                     @FORMATS@
                     (default: table on a terminal, else ndjson)
  -p, --port N       report only servers at port N; repeatable
      --join         the captures are consecutive pieces of one (tcpdump -C, -G)
      --memory S     memory for connections, at least 512k (default: 256M)
      --header H     add a request or response header as a column; repeatable
      --s3           add the headers that the support of Amazon S3 asks for
      --packets      add the times of a response's packets (ndjson, json, csv)
      --connections  add a record for each TCP connection
      --tcp          report the turns of unknown TCP protocols, too
  -q, --quiet        no summary and no progress on standard error
      --no-sandbox   keep all rights of the process while it reads captures
      --columns      list the columns of all records
  -h, --help         this text (-V, --version: the version)

Live: tcpdump --immediate-mode -U -w - 'tcp port 80' | wirelap
Exit: 0 all was read; 1 a capture is damaged, or output failed; 2 bad usage
)";

// Options without a letter. Those from kClassicHasNone on do not go with the classic format.
enum : int {
  kNoSandbox = 256,
  kColumnsOption,
  kClassicHasNone,
  kJoin = kClassicHasNone,
  kMemory,
  kHeader,
  kS3,
  kPackets,
  kConnections,
  kTcp,
};

constexpr option kOptions[] = {{"format", required_argument, nullptr, 'f'},
                               {"output", required_argument, nullptr, 'o'},
                               {"port", required_argument, nullptr, 'p'},
                               {"join", no_argument, nullptr, kJoin},
                               {"memory", required_argument, nullptr, kMemory},
                               {"header", required_argument, nullptr, kHeader},
                               {"s3", no_argument, nullptr, kS3},
                               {"packets", no_argument, nullptr, kPackets},
                               {"connections", no_argument, nullptr, kConnections},
                               {"tcp", no_argument, nullptr, kTcp},
                               {"quiet", no_argument, nullptr, 'q'},
                               {"no-sandbox", no_argument, nullptr, kNoSandbox},
                               {"columns", no_argument, nullptr, kColumnsOption},
                               {"help", no_argument, nullptr, 'h'},
                               {"version", no_argument, nullptr, 'V'},
                               {nullptr, 0, nullptr, 0}};
constexpr char kLetters[] = ":r:f:o:p:qhV";  // with ':' first, a missing argument returns ':'

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

/// The arguments, as far as they have been read. The first error stays.
class Parser {
 public:
  std::variant<Options, UsageError> parse(int argc, char** argv) {
    ::opterr = ::optind = 0;  // no messages; from the start
    int index = 0;
    for (int found; error_.empty() && (found = ::getopt_long(argc, argv, kLetters, kOptions, &index)) != -1;) {
      if (found >= kClassicHasNone && not_classic_.empty()) not_classic_ = kOptions[index].name;
      process(found, argv[::optind - 1]);
      if (options_.action != Options::Action::read && error_.empty()) return options_;
    }
    for (int i = ::optind; i < argc; ++i) options_.captures.emplace_back(argv[i]);
    finish();
    if (!error_.empty()) return UsageError{error_};
    return std::move(options_);
  }

 private:
  /// `word`: the argument that was read last.
  void process(int found, std::string_view word) {
    EngineOptions& engine = options_.engine;
    switch (found) {
      case 'r': options_.captures.emplace_back(::optarg); break;
      case 'f': set_format(::optarg); break;
      case 'o': add_output(::optarg); break;
      case 'p': add_port(::optarg); break;
      case kJoin: engine.join = true; break;
      case kMemory: set_memory(::optarg); break;
      case kHeader: add_header(::optarg); break;
      case kS3:
        for (const char* const name : {"x-amz-request-id", "x-amz-id-2", "range"}) add_header(name);
        break;
      case kPackets: engine.wanted.steps = true; break;
      case kConnections: engine.wanted.connections = true; break;
      case kTcp: engine.tcp = true; break;
      case 'q': options_.quiet = true; break;
      case kNoSandbox: options_.sandbox = false; break;
      case kColumnsOption: options_.action = Options::Action::print_columns; break;
      case 'h': options_.action = Options::Action::print_help; break;
      case 'V': options_.action = Options::Action::print_version; break;
      case ':': {
        const std::string letter = std::string("-") + static_cast<char>(::optopt);
        fail("option " + quoted(word.starts_with("--") ? word : letter) + " needs an argument");
        break;
      }
      default: fail(unknown_option(word));
    }
  }

  /// Why getopt_long did not accept an option. It sets optopt to the letter of an unknown short option, to the value of
  /// a known option that takes no argument, and to 0 for a long option that is unknown or ambiguous.
  static std::string unknown_option(std::string_view word) {
    const auto is_found = [](const option& known) { return known.val == ::optopt; };
    const std::string_view name = word.substr(0, word.find('='));
    if (::optopt != 0 && std::any_of(std::begin(kOptions), std::end(kOptions), is_found))
      return "option " + quoted(name) + " takes no argument";
    if (::optopt != 0) return "unknown option " + quoted(std::string("-") + static_cast<char>(::optopt));
    std::string candidates;
    for (const option& known : kOptions) {
      if (known.name == nullptr || !std::string_view(known.name).starts_with(name.substr(2))) continue;
      candidates += (candidates.empty() ? "--" : " or --") + std::string(known.name);
    }
    return candidates.empty() ? "unknown option " + quoted(name) : quoted(name) + " can be " + candidates;
  }

  void set_format(std::string_view name) {
    next_format_ = find_format(name);
    if (next_format_ == nullptr) fail("unknown format " + quoted(name) + ": expected one of " + format_names());
  }

  void add_output(std::string_view path) {
    const Format* const format = std::exchange(next_format_, nullptr);
    outputs_.push_back({std::string(path), format != nullptr || path == "-" ? format : &format_of_file(path)});
  }

  void add_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
      fail("invalid port " + quoted(text) + ": expected 1 to 65535");
    options_.engine.ports.push_back(port);
  }

  /// A count of bytes, or of KiB, MiB or GiB with k, M or G behind it.
  void set_memory(std::string_view text) {
    constexpr std::string_view kUnits = "kmg";
    std::uint64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    const std::size_t unit = rest == end ? std::string_view::npos : kUnits.find(static_cast<char>(*rest | 0x20));
    const int shift = rest == end ? 0 : 10 * (static_cast<int>(unit) + 1);
    const bool is_size = error == std::errc{} && (rest == end || (unit != std::string_view::npos && rest + 1 == end));
    if (!is_size || count > std::numeric_limits<std::size_t>::max() >> shift || count << shift < Engine::kLeastMemory)
      return fail("invalid size " + quoted(text) + " for --memory: expected bytes, or as 512k, 64M, 1G; at least 512k");
    options_.engine.memory_bytes = static_cast<std::size_t>(count) << shift;
  }

  /// A header that is asked for again changes nothing.
  void add_header(std::string_view name) {
    std::string lower;
    for (const char c : name) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    if (!http1::is_token(lower)) fail("invalid header name " + quoted(name));
    std::vector<std::string>& headers = options_.engine.wanted.headers;
    if (std::find(headers.begin(), headers.end(), lower) == headers.end()) headers.push_back(lower);
  }

  /// Decides what depends on several arguments.
  void finish() {
    name_header_columns(options_.engine.wanted);
    finish_outputs();
    if (options_.classic && outputs_.size() > 1) fail("format 'classic' cannot be combined with other outputs");
    if (options_.classic && !not_classic_.empty())
      fail("--" + not_classic_ + " is not available with format 'classic'");
  }

  void finish_outputs() {
    const auto standard = std::find_if(outputs_.begin(), outputs_.end(), [](const Named& output) {
      return output.path == "-" && output.format == nullptr;
    });
    if (next_format_ != nullptr && standard != outputs_.end())
      standard->format = next_format_;
    else if (next_format_ != nullptr || outputs_.empty())
      outputs_.push_back({"-", next_format_});
    for (const auto& [path, format] : outputs_) {
      const auto is_same = [name = std::string_view(path)](const OutputOption& output) { return output.path == name; };
      if (std::any_of(options_.outputs.begin(), options_.outputs.end(), is_same))
        fail("two outputs go to " + (path == "-" ? "standard output" : quoted(path)));
      options_.outputs.push_back({path, format});
      const bool is_classic = format != nullptr && format->name == kClassicName;
      if (format != nullptr && format->make == nullptr && !is_classic)
        fail("format " + quoted(format->name) + " is not available yet");
      options_.classic = options_.classic || is_classic;
    }
  }

  void fail(std::string text) {
    if (error_.empty()) error_ = std::move(text);
  }

  struct Named {
    std::string path;
    const Format* format;  // null: the default of standard output
  };

  Options options_;
  std::string error_;
  std::vector<Named> outputs_;
  const Format* next_format_ = nullptr;  // of a -f that no -o has followed yet
  std::string not_classic_;              // the first option that does not go with the classic format
};

}  // namespace

std::string help_text() {
  constexpr std::string_view kPlace = "@FORMATS@";
  std::string text(kHelp);
  return text.replace(text.find(kPlace), kPlace.size(), format_names());
}

std::variant<Options, UsageError> parse_options(int argc, char** argv) { return Parser().parse(argc, argv); }

}  // namespace wirelap
