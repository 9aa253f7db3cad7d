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

constexpr std::size_t kMostWordsBytes = 2048;  // each of a decompressor's 200 may be shown by four

enum class Wish : std::uint32_t { start, finish, leave };

/// What is asked, one message; behind it the bytes held of a pipe.
struct Order {
  Wish wish;
  std::uint32_t is_file;
  int input;
  char program[8];  // ends with NUL
};

/// Sends one message, and in it `fd` where that is one.
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

/// Receives one; returns its size, 0 where the other end has gone. `fd` is what came in it, else as before.
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

/// What the process does. It trusts its orders no more than a capture.
class Service {
 public:
  Service(int socket, std::vector<int> inputs) : socket_(socket), inputs_(std::move(inputs)) {}

  void run() {
    alignas(Order) std::uint8_t message[sizeof(Order) + Starter::kMostHeldBytes];
    int none = -1;
    while (!inputs_.empty()) {
      const std::size_t got = receive_message(socket_, message, none);
      if (got < sizeof(Order)) return;
      Order order;
      std::memcpy(&order, message, sizeof order);
      if (!obey(order, {message + sizeof order, got - sizeof order})) return;
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
    if (!known || !is_decompressor(program)) return send_message(socket_, bytes_of(int{EINVAL}));
    decompressor_.emplace();
    const int error = order.is_file != 0 ? decompressor_->start_on_file(program, order.input)
                                         : decompressor_->start_on_pipe(program, order.input, held);
    if (error != 0) decompressor_.reset();
    return send_message(socket_, bytes_of(error), decompressor_ ? decompressor_->output() : -1);
  }

  bool finish() {
    std::string words = decompressor_ ? decompressor_->finish() : "";
    words.resize(std::min(words.size(), kMostWordsBytes));
    decompressor_.reset();
    words += '\n';  // an empty message would be an end
    return send_message(socket_, {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()});
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

int Starter::start(const std::string& program, int input, bool is_file, Bytes held, int& output) {
  Order order{Wish::start, is_file ? 1u : 0u, input, {}};
  if (process_ < 0) return EPERM;
  if (program.size() >= sizeof order.program || held.size() > kMostHeldBytes) return EINVAL;
  std::copy(program.begin(), program.end(), order.program);
  std::vector<std::uint8_t> message(sizeof order + held.size());
  std::memcpy(message.data(), &order, sizeof order);
  std::copy(held.begin(), held.end(), message.begin() + sizeof order);
  int error = 0;
  if (!send_message(socket_, message)) return ECHILD;
  std::uint8_t reply[sizeof error];
  if (receive_message(socket_, reply, output) != sizeof error) return ECHILD;
  std::memcpy(&error, reply, sizeof error);
  return error == 0 && output < 0 ? EMFILE : error;
}

std::string Starter::finish() {
  const Order order{Wish::finish, 0, -1, {}};
  std::uint8_t words[kMostWordsBytes + 1];
  int none = -1;
  const std::size_t got = send_message(socket_, bytes_of(order)) ? receive_message(socket_, words, none) : 0;
  if (got == 0) return "how its decompressor ended is not known";
  return std::string(as_text({words, got - 1}));
}

void Starter::leave(int input) {
  if (std::erase(inputs_, input) == 0 || process_ < 0) return;
  const Order order{Wish::leave, 0, input, {}};
  send_message(socket_, bytes_of(order));
  if (inputs_.empty()) end();
}

}  // namespace wirelap
