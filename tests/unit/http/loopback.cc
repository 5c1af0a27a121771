#include "tests/unit/http/loopback.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace signalbox::http {
namespace {

constexpr int kPatienceMs = 5000;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool WaitReadable(int fd, int milliseconds) {
  pollfd entry = {fd, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) > 0;
}

}  // namespace

RawSocket::RawSocket(int fd) : fd_(fd) {}

RawSocket RawSocket::ConnectTo(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(fd);
    return RawSocket(-1);
  }
  return RawSocket(fd);
}

RawSocket::RawSocket(RawSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

RawSocket::~RawSocket() { Close(); }

bool RawSocket::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(sent);
  }
  return true;
}

std::string RawSocket::ReadSome() {
  if (!WaitReadable(fd_, kPatienceMs)) return {};
  char block[65536];
  const ssize_t got = ::recv(fd_, block, sizeof(block), 0);
  return got > 0 ? std::string(block, got) : std::string();
}

std::string RawSocket::ReadToEnd() {
  std::string all = std::exchange(buffer_, {});
  while (true) {
    const std::string more = ReadSome();
    if (more.empty()) return all;
    all += more;
  }
}

std::string RawSocket::ReadUntil(absl::string_view text) {
  while (buffer_.find(std::string(text)) == std::string::npos) {
    const std::string more = ReadSome();
    if (more.empty()) break;
    buffer_ += more;
  }
  return std::exchange(buffer_, {});
}

std::string RawSocket::ReadResponse() {
  size_t size = 0;
  while ((size = MessageSize(buffer_)) == 0) {
    const std::string more = ReadSome();
    if (more.empty()) return std::exchange(buffer_, {});
    buffer_ += more;
  }
  const std::string message = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return message;
}

bool RawSocket::WaitForClose(int milliseconds) {
  char block[4096];
  while (WaitReadable(fd_, milliseconds)) {
    const ssize_t got = ::recv(fd_, block, sizeof(block), 0);
    if (got <= 0) return true;
    buffer_.append(block, got);
  }
  return false;
}

void RawSocket::ShrinkReceiveBuffer() {
  const int bytes = 4096;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void RawSocket::ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }

void RawSocket::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawSocket::Reset() {
  const linger hard = {1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  Close();
}

size_t RawSocket::MessageSize(const std::string& bytes) {
  const size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string::npos) return 0;
  const std::string head = absl::AsciiStrToLower(bytes.substr(0, head_end));
  size_t length = 0;
  const size_t field = head.find("\r\ncontent-length:");
  if (field != std::string::npos) {
    const std::string rest = head.substr(field + 17);
    int value = 0;
    if (absl::SimpleAtoi(rest.substr(0, rest.find('\r')), &value)) length = value;
  }
  const size_t total = head_end + 4 + length;
  return bytes.size() >= total ? total : 0;
}

RawServer::RawServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  ::listen(listener_, 64);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] {
    while (true) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      const int number = accepted_.fetch_add(1);
      workers_.emplace_back([this, fd, number] { script_(RawSocket(fd), number); });
    }
  });
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (std::thread& worker : workers_) worker.join();
}

}  // namespace signalbox::http
