#include "capture/starter.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "capture/container.h"
#include "capture/decompress.h"

namespace wirelap {
namespace {

constexpr std::size_t kMaxErrorBytes = 2048;  // a decompressor's message: 200 bytes, each escaped by up to four

enum class Action : std::uint32_t { start, finish, release };

/// A request. In its message, the bytes already read from a pipe follow it.
struct Request {
  Action action;
  std::uint32_t is_file;
  int input;
  char program[8];  // with a NUL at its end
};

/// Sends one message, with the descriptor `fd` in it unless that is -1. Returns whether it was sent.
bool send_message(int socket, Bytes bytes, int fd = -1) {
  iovec piece{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  ssize_t sent = -1;
  while ((sent = ::sendmsg(socket, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  return sent == static_cast<ssize_t>(bytes.size());
}

/// Receives one message into `room`. Returns its size, 0 where the other process has gone. Sets `fd` to
/// the descriptor in the message, if there is one.
std::size_t receive_message(int socket, std::span<std::uint8_t> room, int& fd) {
  iovec piece{room.data(), room.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = -1;
  while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  const bool has_fd = head != nullptr && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd);
  if (got > 0 && has_fd) std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

template <class Value>
Bytes bytes_of(const Value& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

/// What the helper runs. It validates requests as it would validate a capture.
class Service {
 public:
  Service(int socket, std::vector<int> inputs) : socket_(socket), inputs_(std::move(inputs)) {}

  void run() {
    alignas(Request) std::uint8_t message[sizeof(Request) + Starter::kMaxHeldBytes];
    int none = -1;
    while (!inputs_.empty()) {
      const std::size_t got = receive_message(socket_, message, none);
      if (got < sizeof(Request)) return;
      Request request;
      std::memcpy(&request, message, sizeof request);
      if (!handle(request, {message + sizeof request, got - sizeof request})) return;
    }
  }

 private:
  bool handle(const Request& request, Bytes held) {
    switch (request.action) {
      case Action::start: return start(request, held);
      case Action::finish: return finish();
      case Action::release: return release(request.input);
    }
    return false;
  }

  bool start(const Request& request, Bytes held) {
    const std::string program(request.program, ::strnlen(request.program, sizeof request.program));
    const bool known = std::count(inputs_.begin(), inputs_.end(), request.input) != 0;
    if (!known || !is_decompressor(program)) return send_message(socket_, bytes_of(int{EINVAL}));
    decompressor_.emplace();
    const int error = request.is_file != 0 ? decompressor_->start_on_file(program, request.input)
                                           : decompressor_->start_on_pipe(program, request.input, held);
    if (error != 0) decompressor_.reset();
    return send_message(socket_, bytes_of(error), decompressor_ ? decompressor_->output() : -1);
  }

  bool finish() {
    std::string error = decompressor_ ? decompressor_->finish() : "";
    error.resize(std::min(error.size(), kMaxErrorBytes));
    decompressor_.reset();
    error += '\n';  // an empty message would look like the end of the connection
    return send_message(socket_, {reinterpret_cast<const std::uint8_t*>(error.data()), error.size()});
  }

  bool release(int input) {
    decompressor_.reset();
    if (std::erase(inputs_, input) != 0) ::close(input);
    return true;
  }

  int socket_;
  std::vector<int> inputs_;
  std::optional<Decompressor> decompressor_;
};

}  // namespace

Starter::~Starter() { end_process(); }

void Starter::end_process() {
  if (process_ < 0) return;
  ::close(socket_);  // ends the helper's loop
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  socket_ = -1;
  process_ = -1;
}

int Starter::start_process(std::vector<int> inputs) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  inputs_ = inputs;
  process_ = ::fork();
  if (process_ == 0) {
    // Ctrl-C in a terminal and the stop of a service send their signals to the helper too. It must run until the
    // other process ends it.
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    ::close(ends[0]);
    Service(ends[1], std::move(inputs)).run();
    ::_exit(0);
  }
  const int error = process_ < 0 ? errno : 0;
  ::close(ends[1]);
  if (error != 0) ::close(ends[0]);
  socket_ = error == 0 ? ends[0] : -1;
  return error;
}

int Starter::start_decompressor(const std::string& program, int input, bool is_file, Bytes held, int& output) {
  Request request{Action::start, is_file ? 1u : 0u, input, {}};
  if (process_ < 0) return EPERM;
  if (program.size() >= sizeof request.program || held.size() > kMaxHeldBytes) return EINVAL;
  std::copy(program.begin(), program.end(), request.program);
  std::vector<std::uint8_t> message(sizeof request + held.size());
  std::memcpy(message.data(), &request, sizeof request);
  std::copy(held.begin(), held.end(), message.begin() + sizeof request);
  int error = 0;
  if (!send_message(socket_, message)) return ECHILD;
  std::uint8_t reply[sizeof error];
  if (receive_message(socket_, reply, output) != sizeof error) return ECHILD;
  std::memcpy(&error, reply, sizeof error);
  return error == 0 && output < 0 ? EMFILE : error;
}

std::string Starter::finish_decompressor() {
  const Request request{Action::finish, 0, -1, {}};
  std::uint8_t error[kMaxErrorBytes + 1];
  int none = -1;
  const std::size_t got = send_message(socket_, bytes_of(request)) ? receive_message(socket_, error, none) : 0;
  if (got == 0) return "the exit status of the decompressor is unknown";
  return std::string(as_text({error, got - 1}));
}

void Starter::release(int input) {
  if (std::erase(inputs_, input) == 0 || process_ < 0) return;
  const Request request{Action::release, 0, input, {}};
  send_message(socket_, bytes_of(request));
  if (inputs_.empty()) end_process();
}

}  // namespace wirelap
