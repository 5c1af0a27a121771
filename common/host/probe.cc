#include "common/host/probe.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace signalbox::host {
namespace {

absl::Status Failed(absl::string_view what) { return absl::UnavailableError(what); }

// A connected socket, or -1.
int Connect(const std::string& host, const std::string& port, absl::Duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  int connected = -1;
  for (addrinfo* at = found; at != nullptr && connected < 0; at = at->ai_next) {
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0) continue;
    const timeval limit = absl::ToTimeval(timeout);  // SO_SNDTIMEO bounds connect as well
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
      connected = fd;
    } else {
      close(fd);
    }
  }
  freeaddrinfo(found);
  return connected;
}

// The first bytes of the answer: enough for the status line.
absl::Status Ask(int fd, const std::string& address) {
  const std::string request =
      absl::StrCat("GET /readyz HTTP/1.1\r\nHost: ", address, "\r\nConnection: close\r\n\r\n");
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Failed(absl::StrCat(address, ": ", std::strerror(errno)));
  }
  constexpr size_t kStatusLineBytes = 12;  // "HTTP/1.1 200"
  std::string answer;
  char block[512];
  while (answer.size() < kStatusLineBytes) {
    const ssize_t got = recv(fd, block, sizeof(block), 0);
    if (got <= 0) return Failed(absl::StrCat(address, ": no answer"));
    answer.append(block, static_cast<size_t>(got));
  }
  if (absl::StartsWith(answer, "HTTP/1.1 200")) return absl::OkStatus();
  return Failed(absl::StrCat(address, " is not ready"));
}

}  // namespace

absl::Status ProbeReady(const std::string& address, absl::Duration timeout) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return Failed(absl::StrCat("\"", address, "\" is not HOST:PORT"));
  const absl::string_view host =
      absl::StripSuffix(absl::StripPrefix(absl::string_view(address).substr(0, colon), "["), "]");
  const int fd = Connect(std::string(host), address.substr(colon + 1), timeout);
  if (fd < 0) return Failed(absl::StrCat(address, ": cannot connect"));
  const absl::Status status = Ask(fd, address);
  close(fd);
  return status;
}

}  // namespace signalbox::host
