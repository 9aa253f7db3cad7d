// The program: the only file that prints or exits.
//
// In: the options. Out: records on the outputs, messages on standard error, an exit code.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/poll.h"
#include "base/sandbox.h"
#include "capture/container.h"
#include "capture/mapping.h"
#include "capture/starter.h"
#include "engine.h"
#include "options.h"
#include "output/columns.h"
#include "output/progress.h"

namespace wirelap {
namespace {

constexpr int kExitIncomplete = 1;  // a capture is damaged or unreadable, or the output was not written
constexpr int kExitUsage = 2;

[[noreturn]] void exit_with_usage_error(const std::string& text) {
  std::fprintf(stderr, "wirelap: %s\nTry 'wirelap --help'.\n", printable(text).c_str());
  std::exit(kExitUsage);
}

[[noreturn]] void print_and_exit(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::exit(std::fflush(stdout) == 0 ? 0 : kExitIncomplete);
}

/// The options of a run that reads captures; other actions end the process.
Options parse_command_line(int argc, char** argv) {
  std::variant<Options, UsageError> parsed = parse_options(argc, argv);
  if (const auto* error = std::get_if<UsageError>(&parsed)) exit_with_usage_error(error->text);
  Options& options = std::get<Options>(parsed);
  switch (options.action) {
    case Options::Action::print_help: print_and_exit(help_text());
    case Options::Action::print_version: print_and_exit("wirelap " WIRELAP_VERSION "\n");
    case Options::Action::print_columns: print_and_exit(list_columns(::isatty(STDOUT_FILENO) != 0));
    case Options::Action::read: break;
  }
  if (options.captures.empty()) {
    if (::isatty(STDIN_FILENO)) exit_with_usage_error("no capture: name a file, or pipe one to standard input");
    options.captures.emplace_back("-");
  }
  return std::move(options);
}

/// Opens those of the descriptors 0 to 2 that are closed: else the next file that is opened would become one of them.
void hold_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
      const int held = ::open("/dev/null", O_RDONLY);
  }
}

/// A failed write is reported as an error, and must not end the process.
void ignore_write_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file reached the limit on its size
}

int stop_pipe[2] = {-1, -1};

/// The first SIGINT or SIGTERM ends the input; a second one ends the process at once.
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

/// The columns of a table at `fd`: those of a terminal, at least 80; elsewhere 100.
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

struct stat status_of(const std::string& path, int standard_fd) {
  struct stat status {};
  const int error = path == "-" ? ::fstat(standard_fd, &status) : ::stat(path.c_str(), &status);
  if (error != 0) status = {};
  return status;
}

/// Whether both are the same file. Devices can be used twice.
bool is_same_file(const struct stat& a, const struct stat& b) {
  return (S_ISREG(a.st_mode) || S_ISFIFO(a.st_mode)) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// To write to a capture would destroy it before it is read.
void check_outputs(const Options& options) {
  for (const OutputOption& output : options.outputs) {
    const struct stat written = status_of(output.path, STDOUT_FILENO);
    for (const std::string& capture : options.captures) {
      if (S_ISREG(written.st_mode) && is_same_file(status_of(capture, STDIN_FILENO), written)) {
        const std::string& name = output.path == "-" ? capture : output.path;
        exit_with_usage_error("'" + name + "' is a capture to be read: it cannot be an output too");
      }
    }
  }
}

int open_output(const std::string& path) {
  if (path == "-") return STDOUT_FILENO;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    std::fprintf(stderr, "wirelap: %s: %s\n", printable(path).c_str(), std::strerror(errno));
    std::exit(kExitIncomplete);
  }
  return fd;
}

/// An output of the run, and its writer.
class OutputFile {
 public:
  OutputFile(const OutputOption& option, const Wanted& wanted)
      : name_(option.path == "-" ? "output" : option.path),
        fd_(open_output(option.path)),
        output_(fd_),
        writer_(make(option.format, wanted)) {}

  Output& output() { return output_; }
  RecordWriter& writer() { return *writer_; }
  int fd() const { return fd_; }
  bool is_terminal() const { return ::isatty(fd_) != 0; }

  /// Closes it. Returns whether all was written; reports why not, unless its reader has closed a pipe (`| head`).
  bool close() {
    const int late_error = ::close(fd_) == 0 ? 0 : errno;  // some file systems report only now that they are full
    const int error = output_.error() != 0 ? output_.error() : late_error;
    if (error != 0 && error != EPIPE) {
      std::fprintf(stderr, "wirelap: %s: %s\n", printable(name_).c_str(), std::strerror(error));
    }
    return error == 0;
  }

 private:
  /// Null for classic. `format`: null for the default.
  std::unique_ptr<RecordWriter> make(const Format* format, const Wanted& wanted) {
    if (format == nullptr) format = find_format(is_terminal() ? "table" : "ndjson");
    const TableStyle style{wants_colour(fd_), table_width(fd_)};
    return format->make != nullptr ? format->make(output_, wanted, style) : nullptr;
  }

  std::string name_;
  int fd_;
  Output output_;
  std::unique_ptr<RecordWriter> writer_;
};

/// All outputs of the run; each gets every record. One that fails does not stop the others.
class Outputs : public RecordWriter {
 public:
  explicit Outputs(const Options& options) {
    check_outputs(options);
    for (const OutputOption& option : options.outputs) {
      // One that the output before has created is found here, by whatever name.
      const struct stat status = status_of(option.path, STDOUT_FILENO);
      for (const auto& other : files_) {
        struct stat opened {};
        if (::fstat(other->fd(), &opened) == 0 && is_same_file(opened, status))
          exit_with_usage_error("two outputs go to '" + option.path + "'");
      }
      files_.push_back(std::make_unique<OutputFile>(option, options.engine.wanted));
    }
  }

  void write(const Record& record) override {
    for (const auto& file : files_) file->writer().write(record);
  }
  void finish() override {
    for (const auto& file : files_) file->writer().finish();
  }

  Output& first() { return files_.front()->output(); }
  void flush() {
    for (const auto& file : files_) file->output().flush();
  }
  /// Whether records still reach any of them.
  bool is_any_open() const {
    return std::any_of(files_.begin(), files_.end(), [](const auto& file) { return file->output().error() == 0; });
  }
  /// Calls `before` before a terminal is written to.
  void before_terminal_write(const std::function<void()>& before) {
    for (const auto& file : files_) {
      if (file->is_terminal()) file->output().before_write(before);
    }
  }
  /// Whether all was written to all of them.
  bool close() {
    bool all_written = true;
    for (const auto& file : files_) all_written = file->close() && all_written;
    return all_written;
  }

 private:
  std::vector<std::unique_ptr<OutputFile>> files_;
};

/// The progress line: on a terminal, while a file is read that takes longer than a second.
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

/// How many captures can be open at once: at least one, and `wanted` where the system allows it.
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

/// Reads all captures, one after the other. One that cannot be read does not stop the others.
class Run {
 public:
  explicit Run(const Options& options) : options_(options), outputs_(options), engine_(options.engine, outputs_) {}

  /// Opens all captures, and then gives up the rights that only this needs.
  void open_all() {
    const std::size_t most = allow_open_captures(options_.captures.size());
    for (const std::string& capture : options_.captures) open(capture, opened_.size() < most);
    if (!options_.sandbox) return;
    drop_root();
    begin_starter();
    restrict_files();
    restrict_calls();
  }

  int read_all() {
    bool all_read = true;
    for (std::size_t i = 0; i < options_.captures.size(); ++i) {
      const std::optional<Error> error = read(opened_[i], options_.captures[i]);
      outputs_.before_terminal_write([] {});
      outputs_.flush();
      if (error) std::fprintf(stderr, "wirelap: %s\n", error_text(*error).c_str());
      // tcpdump leaves a truncated record when it is killed: all that there is was read.
      if (error && error->kind != Error::Kind::truncated) all_read = false;
      if (is_stopped()) break;
    }
    opened_.clear();
    engine_.finish();
    if (!options_.classic) outputs_.finish();
    outputs_.flush();
    const bool all_written = outputs_.close();
    if (all_written && !options_.quiet && !options_.classic) print_summary(all_read);
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
    options.before_wait = [this] { outputs_.flush(); };
    options.should_continue = [this] { return outputs_.is_any_open(); };
    options.on_progress = [this](std::uint64_t done, std::uint64_t total) { progress_->show(done, total); };
    options.starter = options_.sandbox ? &starter_ : nullptr;
    auto input = std::make_unique<Input>(options);
    int error = allowed ? 0 : EMFILE;
    if (capture == "-")
      input->attach(STDIN_FILENO);
    else if (allowed)
      error = input->open(capture);
    opened_.push_back({std::move(input), error});
  }

  /// Forks the process that starts decompressors, where a capture is compressed or cannot be examined before it is
  /// read.
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
    progress_.emplace(!options_.quiet);
    outputs_.before_terminal_write([this] { progress_->clear(); });
    const auto error = read(*input, capture);
    progress_->clear();
    return error;
  }

  std::optional<Error> read(Input& input, const std::string& capture) {
    if (options_.classic) return run_classic(input, capture, options_.engine.ports, outputs_.first());
    const auto error = engine_.run(input, capture);
    if (engine_.is_out_of_order()) {
      std::fprintf(stderr, "wirelap: %s: begins before the previous piece ends: are the pieces in order?\n",
                   printable(capture).c_str());
    }
    return error;
  }

  /// What to know before trusting the numbers.
  void print_summary(bool all_read) const {
    const Summary summary = engine_.summary();
    if (summary.decoded.records == 0 && !all_read) return;  // the error has been reported
    for (const std::string& line : describe(summary)) std::fprintf(stderr, "wirelap: %s\n", line.c_str());
    if (summary.exchanges != 0 || summary.connections == 0) return;
    if (!options_.engine.ports.empty()) {
      std::fputs("wirelap: no exchange with a server at the ports of -p\n", stderr);
    } else if (!options_.engine.wanted.connections) {
      std::fputs("wirelap: no exchange found: --connections reports the connections\n", stderr);
    }
  }

  static bool is_stopped() {
    pollfd stop{stop_pipe[0], POLLIN, 0};
    return poll_retrying(&stop, 1, 0) > 0;
  }

  const Options& options_;
  Outputs outputs_;
  Engine engine_;
  std::optional<ProgressLine> progress_;  // of the capture that is being read
  Starter starter_;
  std::vector<Opened> opened_;
};

}  // namespace
}  // namespace wirelap

int main(int argc, char** argv) {
  wirelap::hold_standard_descriptors();
  wirelap::ignore_write_signals();
  const wirelap::Options options = wirelap::parse_command_line(argc, argv);
  wirelap::catch_stop_signals();
  wirelap::Mapping::handle_bus_errors();
  wirelap::Run run(options);
  run.open_all();
  return run.read_all();
}
