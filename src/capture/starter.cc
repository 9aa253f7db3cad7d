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
#include <utility>

#include "capture/container.h"
#include "capture/decompress.h"

namespace wirelap {
namespace {

constexpr std::size_t kMostWordsBytes = 2048;  // each of a decompressor's 200 may be shown by four

enum class Wish : std::uint8_t { start, finish, leave };

/// What is asked, one message; behind it the bytes held of a pipe.
struct Order {
  Wish wish;
  bool is_file;
  int input;
  char program[8];  // ends with NUL
};

/// One message with `fd` (-1: none) in it.
bool send_result(int socket, int error, int fd) {
  iovec piece{&error, sizeof error};
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
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof error);
}

/// The other way: an errno, or 0 and the descriptor.
int receive_result(int socket, int& fd) {
  int error = 0;
  iovec piece{&error, sizeof error};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = -1;
  while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got < 0) return errno;
  if (got != static_cast<ssize_t>(sizeof error)) return ECHILD;
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  const bool has_fd = head != nullptr && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd);
  if (has_fd) std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  if (error == 0 && !has_fd) return EMFILE;  // no room for one more
  return error;
}

/// What the process does. It trusts its orders no more than a capture.
class Service {
 public:
  Service(int socket, std::vector<int> inputs) : socket_(socket), inputs_(std::move(inputs)) {}

  void run() {
    alignas(Order) std::uint8_t message[sizeof(Order) + Starter::kMostHeldBytes];
    while (!inputs_.empty()) {
      const ssize_t got = ::read(socket_, message, sizeof message);
      if (got < 0 && errno == EINTR) continue;
      if (got < static_cast<ssize_t>(sizeof(Order))) return;
      Order order;
      std::memcpy(&order, message, sizeof order);
      if (!obey(order, {message + sizeof order, static_cast<std::size_t>(got) - sizeof order})) return;
    }
  }

 private:
  bool obey(const Order& order, Bytes held) {
    switch (order.wish) {
      case Wish::start: return start(order, held);
      case Wish::finish: return finish();
      case Wish::leave: return leave(order.input);
    }
    return false;
  }

  bool start(const Order& order, Bytes held) {
    const std::string program(order.program, ::strnlen(order.program, sizeof order.program));
    const bool known = std::count(inputs_.begin(), inputs_.end(), order.input) != 0;
    if (!known || !is_decompressor(program)) return send_result(socket_, EINVAL, -1);
    decompressor_.emplace();
    const int error = order.is_file ? decompressor_->start_on_file(program, order.input)
                                    : decompressor_->start_on_pipe(program, order.input, held);
    if (error != 0) decompressor_.reset();
    return send_result(socket_, error, decompressor_ ? decompressor_->output() : -1);
  }

  bool finish() {
    std::string words = decompressor_ ? decompressor_->finish() : "";
    words.resize(std::min(words.size(), kMostWordsBytes));
    decompressor_.reset();
    words += '\n';  // an empty message would be an end
    return ::write(socket_, words.data(), words.size()) == static_cast<ssize_t>(words.size());
  }

  bool leave(int input) {
    decompressor_.reset();
    if (std::erase(inputs_, input) != 0) ::close(input);
    return true;
  }

  int socket_;
  std::vector<int> inputs_;
  std::optional<Decompressor> decompressor_;
};

}  // namespace

Starter::~Starter() { end(); }

void Starter::end() {
  if (process_ < 0) return;
  ::close(socket_);  // which ends it
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  socket_ = -1;
  process_ = -1;
}

int Starter::begin(std::vector<int> inputs) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  inputs_ = inputs;
  process_ = ::fork();
  if (process_ == 0) {
    // Ctrl-C and a service's end reach it, too: it ends when it is no longer needed.
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

bool Starter::send(const void* message, std::size_t bytes) {
  ssize_t sent = -1;
  while ((sent = ::write(socket_, message, bytes)) < 0 && errno == EINTR) {
  }
  return sent == static_cast<ssize_t>(bytes);
}

int Starter::start(const std::string& program, int input, bool is_file, Bytes held, int& output) {
  Order order{Wish::start, is_file, input, {}};
  if (process_ < 0) return EPERM;
  if (program.size() >= sizeof order.program || held.size() > kMostHeldBytes) return EINVAL;
  std::copy(program.begin(), program.end(), order.program);
  std::vector<std::uint8_t> message(sizeof order + held.size());
  std::memcpy(message.data(), &order, sizeof order);
  std::copy(held.begin(), held.end(), message.begin() + sizeof order);
  if (!send(message.data(), message.size())) return ECHILD;
  return receive_result(socket_, output);
}

std::string Starter::finish() {
  const Order order{Wish::finish, false, -1, {}};
  char words[kMostWordsBytes + 1];
  ssize_t got = 0;
  if (send(&order, sizeof order)) {
    while ((got = ::read(socket_, words, sizeof words)) < 0 && errno == EINTR) {
    }
  }
  if (got <= 0) return "how its decompressor ended is not known";
  return {words, static_cast<std::size_t>(got - 1)};
}

void Starter::leave(int input) {
  if (std::erase(inputs_, input) == 0 || process_ < 0) return;
  const Order order{Wish::leave, false, input, {}};
  send(&order, sizeof order);
  if (inputs_.empty()) end();
}

}  // namespace wirelap
