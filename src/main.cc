// Options and exit codes: the only file that prints or exits.

#include <fcntl.h>
#include <getopt.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/http1/head.h"
#include "base/poll.h"
#include "base/sandbox.h"
#include "capture/container.h"
#include "capture/mapping.h"
#include "capture/starter.h"
#include "engine.h"
#include "output/progress.h"
#include "record/record.h"

namespace wirelap {
namespace {

constexpr int kExitIncomplete = 1;  // a capture is damaged or unreadable, or the output was not written
constexpr int kExitUsage = 2;

constexpr char kHelp[] =
    R"(wirelap says, for every request in a packet capture, how long it took and
what the time was spent on.

usage: wirelap [OPTIONS] [CAPTURE...]   '-' or none on a pipe: standard input

  -r CAPTURE         the same as CAPTURE, as tcpdump, tshark and zeek spell it
  -f, --format F     table (default on a terminal), ndjson (default otherwise),
                     json, csv, or classic (the output of wirelap's forerunner)
  -o, --output F     write to the file F instead of standard output
  -p, --port N       only servers at port N; repeatable (classic: default 80)
      --memory S     most memory for connections, 256M by default: as 64M or 1G
      --join         the captures are consecutive pieces of one (tcpdump -C, -G)
      --header H     add a request or response header as a column; repeatable
      --s3           add the headers that S3's support asks for
      --packets      add each response's inter-packet times (ndjson, json, csv)
      --connections  add a record for each TCP connection
      --tcp          also time the turns of TCP protocols that are not known
  -q, --quiet        no summary and no progress on standard error
      --no-sandbox   keep the process's rights while reading, for odd systems
  -h, --help         this text (--version: the version)

Live: tcpdump --immediate-mode -U -w - 'tcp port 80' | wirelap
Exit: 0 all read (one cut inside its last record counts as read);
      1 a capture was damaged or unreadable, or output failed; 2 bad usage.
)";

struct CommandLine {
  std::vector<std::string> captures;
  std::optional<Format> format;
  bool classic = false;
  bool quiet = false;
  bool sandbox = true;
  std::string output;  // empty: standard output
  EngineOptions engine;
};

[[noreturn]] void die_usage(const std::string& what) {
  std::fprintf(stderr, "wirelap: %s\nTry 'wirelap --help'.\n", printable(what).c_str());
  std::exit(kExitUsage);
}

[[noreturn]] void say_and_exit(const char* text) {
  std::fputs(text, stdout);
  std::exit(std::fflush(stdout) == 0 ? 0 : kExitIncomplete);
}

void parse_format(std::string_view name, CommandLine& line) {
  line.classic = name == "classic";
  if (name == "ndjson")
    line.format = Format::ndjson;
  else if (name == "json")
    line.format = Format::json;
  else if (name == "csv")
    line.format = Format::csv;
  else if (name == "table")
    line.format = Format::table;
  else if (!line.classic)
    die_usage("unknown format '" + std::string(name) + "': table, ndjson, json, csv or classic");
}

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    die_usage("'" + std::string(text) + "' is no port: 1 to 65535");
  }
  return port;
}

/// Bytes, or with k, M or G behind it so many KiB, MiB or GiB.
std::size_t parse_memory(std::string_view text) {
  constexpr std::string_view kUnits = "kmg";
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  const std::size_t unit = rest == end ? std::string_view::npos : kUnits.find(static_cast<char>(*rest | 0x20));
  const int shift = rest == end ? 0 : 10 * (static_cast<int>(unit) + 1);
  const bool is_size = error == std::errc{} && (rest == end || (unit != std::string_view::npos && rest + 1 == end));
  if (!is_size || count > std::numeric_limits<std::size_t>::max() >> shift || count << shift < Engine::kLeastMemory) {
    die_usage("'" + std::string(text) + "' is no size for --memory: bytes, or as 512k, 64M, 1G; 512k at least");
  }
  return static_cast<std::size_t>(count) << shift;
}

/// A column for a header field; asking twice changes nothing.
void add_header(std::string_view name, CommandLine& line) {
  std::string lower;
  for (const char c : name) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  if (!http1::is_token(lower)) die_usage("'" + std::string(name) + "' is no name of a header");
  std::vector<std::string>& headers = line.engine.wanted.headers;
  if (std::find(headers.begin(), headers.end(), lower) == headers.end()) headers.push_back(lower);
}

CommandLine parse_command_line(int argc, char** argv) {
  constexpr int kVersionOption = 256, kNoSandboxOption = 257;
  // Classic has none of these.
  constexpr int kPacketsOption = 258, kHeaderOption = 259, kS3Option = 260, kConnectionsOption = 261, kTcpOption = 262,
                kJoinOption = 263, kMemoryOption = 264;
  const option known[] = {{"format", required_argument, nullptr, 'f'},
                          {"output", required_argument, nullptr, 'o'},
                          {"port", required_argument, nullptr, 'p'},
                          {"header", required_argument, nullptr, kHeaderOption},
                          {"s3", no_argument, nullptr, kS3Option},
                          {"packets", no_argument, nullptr, kPacketsOption},
                          {"connections", no_argument, nullptr, kConnectionsOption},
                          {"tcp", no_argument, nullptr, kTcpOption},
                          {"memory", required_argument, nullptr, kMemoryOption},
                          {"join", no_argument, nullptr, kJoinOption},
                          {"quiet", no_argument, nullptr, 'q'},
                          {"no-sandbox", no_argument, nullptr, kNoSandboxOption},
                          {"help", no_argument, nullptr, 'h'},
                          {"version", no_argument, nullptr, kVersionOption},
                          {nullptr, 0, nullptr, 0}};
  CommandLine line;
  const char* not_classic = nullptr;
  for (int found, index; (found = ::getopt_long(argc, argv, "r:f:o:p:qh", known, &index)) != -1;) {
    if (found >= kPacketsOption) not_classic = known[index].name;
    switch (found) {
      case 'r': line.captures.emplace_back(optarg); break;
      case 'f': parse_format(optarg, line); break;
      case 'o': line.output = optarg; break;
      case 'p': line.engine.ports.push_back(parse_port(optarg)); break;
      case kHeaderOption: add_header(optarg, line); break;
      case kS3Option:
        for (const char* const name : {"x-amz-request-id", "x-amz-id-2", "range"}) add_header(name, line);
        break;
      case kPacketsOption: line.engine.wanted.steps = true; break;
      case kConnectionsOption: line.engine.wanted.connections = true; break;
      case kTcpOption: line.engine.tcp = true; break;
      case kMemoryOption: line.engine.memory_bytes = parse_memory(optarg); break;
      case kJoinOption: line.engine.join = true; break;
      case 'q': line.quiet = true; break;
      case kNoSandboxOption: line.sandbox = false; break;
      case 'h': say_and_exit(kHelp);
      case kVersionOption: say_and_exit("wirelap " WIRELAP_VERSION "\n");
      default: std::fputs("Try 'wirelap --help'.\n", stderr); std::exit(kExitUsage);
    }
  }
  name_header_columns(line.engine.wanted);
  if (line.classic && not_classic != nullptr) {
    die_usage("--" + std::string(not_classic) + ": classic has its forerunner's output alone");
  }
  for (int i = optind; i < argc; ++i) line.captures.emplace_back(argv[i]);
  if (line.captures.empty()) {
    if (::isatty(STDIN_FILENO)) die_usage("no capture: name a file, or pipe one in");
    line.captures.emplace_back("-");
  }
  return line;
}

/// Descriptors 0 to 2 that are closed would be taken by the next thing opened.
void hold_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
      const int held = ::open("/dev/null", O_RDONLY);
  }
}

/// A failed write is an error to tell, and no reason to die.
void ignore_write_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // past the limit on the size of files
}

int stop_pipe[2] = {-1, -1};

/// SIGINT and SIGTERM end the run as the end of its input does; a second one
/// ends the process at once.
void catch_stop_signals() {
  if (::pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
  struct sigaction action {};
  action.sa_handler = [](int) {
    const int saved = errno;
    [[maybe_unused]] const ssize_t written = ::write(stop_pipe[1], "", 1);
    errno = saved;
  };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

/// Columns of the table: a terminal's own, at least 80; elsewhere 100.
std::size_t table_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 100;
  return std::max<std::size_t>(size.ws_col, 80);
}

bool wants_colour(int fd) {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::strcmp(terminal, "dumb") == 0;
  return ::isatty(fd) && !dumb && (no_colour == nullptr || *no_colour == 0);
}

/// Whether both name one file: to write there would destroy what is to be read. No output: standard output.
bool is_same_file(const std::string& capture, const std::string& output) {
  struct stat in {
  }, out{};
  const int found = capture == "-" ? ::fstat(STDIN_FILENO, &in) : ::stat(capture.c_str(), &in);
  const int made = output.empty() ? ::fstat(STDOUT_FILENO, &out) : ::stat(output.c_str(), &out);
  return found == 0 && made == 0 && S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

int open_output(const CommandLine& line) {
  const std::string& path = line.output;
  for (const std::string& capture : line.captures) {
    if (is_same_file(capture, path)) {
      die_usage("'" + (path.empty() ? capture : path) + "' is a capture to read: it cannot be the output too");
    }
  }
  if (path.empty()) return STDOUT_FILENO;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    std::fprintf(stderr, "wirelap: %s: %s\n", printable(path).c_str(), std::strerror(errno));
    std::exit(kExitIncomplete);
  }
  return fd;
}

/// The line that tells on a terminal how far a file is read, after a second.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted) : wanted_(wanted && ::isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() { clear(); }

  void show(std::uint64_t done, std::uint64_t total) {
    if (!wanted_ || done == 0) return;
    const Clock::time_point now = Clock::now();
    if (now < next_) return;
    next_ = now + kBetween;
    const Nanos elapsed = std::chrono::nanoseconds(now - began_).count();
    std::fprintf(stderr, "\r%s\x1b[K", describe_progress(done, total, elapsed, table_width(STDERR_FILENO) - 1).c_str());
    shown_ = true;
  }

  void clear() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
    shown_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kBetween{100};

  bool wanted_;
  bool shown_ = false;
  Clock::time_point began_ = Clock::now();
  Clock::time_point next_ = began_ + std::chrono::seconds(1);
};

/// How many captures may be open at once: at least one, where the system lets it `wanted`.
std::size_t allow_open_captures(std::size_t wanted) {
  constexpr rlim_t kOthers = 24;  // decompressors' pipes and the like
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < wanted + kOthers) {
    limit.rlim_cur = std::min<rlim_t>(wanted + kOthers, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<std::size_t>(std::max(limit.rlim_cur, kOthers + 1) - kOthers);
}

/// Reads all captures in turn; a bad one does not stop the others.
class Run {
 public:
  Run(const CommandLine& line, int fd)
      : line_(line),
        fd_(fd),
        output_(fd),
        writer_(make_writer(line.format.value_or(::isatty(fd) ? Format::table : Format::ndjson), output_,
                            line.engine.wanted, TableStyle{wants_colour(fd), table_width(fd)})),
        engine_(line.engine, *writer_) {}

  /// Opens all captures, and then gives up what only that needs.
  void open_all() {
    const std::size_t most = allow_open_captures(line_.captures.size());
    for (const std::string& capture : line_.captures) open(capture, opened_.size() < most);
    if (!line_.sandbox) return;
    drop_root();
    begin_starter();
    restrict_files();
    restrict_calls();
  }

  int read_all() {
    bool all_read = true;
    for (std::size_t i = 0; i < line_.captures.size(); ++i) {
      const std::optional<Error> error = read(opened_[i], line_.captures[i]);
      output_.before_write([] {});
      output_.flush();
      if (error) std::fprintf(stderr, "wirelap: %s\n", error_text(*error).c_str());
      // A killed tcpdump leaves a record cut: all that there is was read.
      if (error && error->kind != Error::Kind::truncated) all_read = false;
      if (is_stopped()) break;
    }
    opened_.clear();
    engine_.finish();
    if (!line_.classic) writer_->finish();
    output_.flush();
    const bool all_written = written();
    if (all_written && !line_.quiet && !line_.classic) say_at_end(all_read);
    if (const std::string line = describe_evicted(engine_.summary()); !line.empty()) {
      std::fprintf(stderr, "wirelap: %s\n", line.c_str());
    }
    return all_written && all_read ? 0 : kExitIncomplete;
  }

 private:
  struct Opened {
    std::unique_ptr<Input> input;
    int error;
  };

  void open(const std::string& capture, bool allowed) {
    Input::Options options;
    options.stop_fd = stop_pipe[0];
    options.before_wait = [this] { output_.flush(); };
    options.should_continue = [this] { return output_.error() == 0; };
    options.on_progress = [this](std::uint64_t done, std::uint64_t total) { progress_->show(done, total); };
    options.starter = line_.sandbox ? &starter_ : nullptr;
    auto input = std::make_unique<Input>(options);
    int error = allowed ? 0 : EMFILE;
    if (capture == "-")
      input->attach(STDIN_FILENO);
    else if (allowed)
      error = input->open(capture);
    opened_.push_back({std::move(input), error});
  }

  /// For what is compressed, and what does not say so before it is read.
  void begin_starter() {
    std::vector<int> unknown;
    for (const auto& [input, error] : opened_) {
      std::uint8_t start[kMagicBytes];
      const Bytes seen{start, input->peek(start)};
      const bool plain = error != 0 || (!seen.empty() && find_compression(seen) == nullptr);
      const bool again = std::find(unknown.begin(), unknown.end(), input->descriptor()) != unknown.end();
      if (!plain && !again) unknown.push_back(input->descriptor());
    }
    if (!unknown.empty()) starter_.start_process(unknown);
  }

  std::optional<Error> read(Opened& opened, const std::string& capture) {
    const std::unique_ptr<Input> input = std::move(opened.input);
    if (opened.error != 0) return Error{Error::Kind::unreadable, capture, std::strerror(opened.error)};
    progress_.emplace(!line_.quiet);
    if (::isatty(fd_)) output_.before_write([this] { progress_->clear(); });
    const auto error = read(*input, capture);
    progress_->clear();
    return error;
  }

  std::optional<Error> read(Input& input, const std::string& capture) {
    if (line_.classic) return run_classic(input, capture, line_.engine.ports, output_);
    const auto error = engine_.run(input, capture);
    if (engine_.is_out_of_order()) {
      std::fprintf(stderr, "wirelap: %s: begins before the piece before it ends: are the pieces in order?\n",
                   printable(capture).c_str());
    }
    return error;
  }

  /// What to know before trusting the numbers.
  void say_at_end(bool all_read) const {
    const Summary summary = engine_.summary();
    if (summary.decoded.records == 0 && !all_read) return;  // what was wrong has been said
    for (const std::string& line : describe(summary)) std::fprintf(stderr, "wirelap: %s\n", line.c_str());
    if (summary.exchanges != 0 || summary.connections == 0) return;
    if (!line_.engine.ports.empty()) {
      std::fputs("wirelap: no exchange at the ports of -p\n", stderr);
    } else if (!line_.engine.wanted.connections) {
      std::fputs("wirelap: no exchange to report: --connections tells of each connection\n", stderr);
    }
  }

  static bool is_stopped() {
    pollfd stop{stop_pipe[0], POLLIN, 0};
    return poll_retrying(&stop, 1, 0) > 0;
  }

  /// False where the output failed. That its reader left (`| head`) needs no word.
  bool written() const {
    // Some file systems tell only now that there is no room.
    const int late = ::close(fd_) == 0 ? 0 : errno;
    const int error = output_.error() != 0 ? output_.error() : late;
    if (error != 0 && error != EPIPE) {
      const std::string name = line_.output.empty() ? "output" : printable(line_.output);
      std::fprintf(stderr, "wirelap: %s: %s\n", name.c_str(), std::strerror(error));
    }
    return error == 0;
  }

  const CommandLine& line_;
  int fd_;
  Output output_;
  std::unique_ptr<RecordWriter> writer_;
  Engine engine_;
  std::optional<ProgressLine> progress_;  // of the capture that is read
  Starter starter_;
  std::vector<Opened> opened_;
};

}  // namespace
}  // namespace wirelap

int main(int argc, char** argv) {
  wirelap::hold_standard_descriptors();
  wirelap::ignore_write_signals();
  const wirelap::CommandLine line = wirelap::parse_command_line(argc, argv);
  wirelap::catch_stop_signals();
  wirelap::Mapping::handle_bus_errors();
  wirelap::Run run(line, wirelap::open_output(line));
  run.open_all();
  return run.read_all();
}
