#include "common/http/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/http/server_connection.h"
#include "common/net/event_loop_asio.h"

namespace signalbox::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerWake = 64;
constexpr absl::Duration kAcceptPause =
    absl::Milliseconds(50);  // when the process has run out of descriptors or memory

// Owns a descriptor on its way to another loop.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string PeerAddress(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof(text));
    return text;
  }
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &address, text, sizeof(text));
  }
  return text;
}

// The client has gone while it waited: look at the next one. Everything else, above all EMFILE,
// needs a pause.
bool ConcernsOneClient(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(net::EventLoopGroup& loops, ServerOptions options, Handler handler)
      : loops_(loops),
        home_(loops.at(0)),
        shared_(std::make_shared<ServerShared>()),
        open_(loops.size()),
        acceptor_(net::IoContextOf(home_)) {
    shared_->limits = {options.max_header_bytes, options.max_header_count, options.max_target_bytes,
                       options.max_body_bytes};
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
  }

  absl::Status Start();
  void AnnounceDrain() { shared_->draining = true; }
  void BeginDrain();
  void Stop();

  uint16_t port() const { return port_; }
  const ServerShared& shared() const { return *shared_; }

 private:
  void AwaitClients();
  void Accept();
  bool AcceptSome();
  void Pause();
  void CloseListener();
  void HandOver(Descriptor descriptor, std::string peer, int protocol_family);
  void Adopt(size_t loop_index, Descriptor descriptor, std::string peer, int protocol_family);
  void DrainLoop(size_t loop_index);

  net::EventLoopGroup& loops_;
  net::EventLoop& home_;  // of the acceptor
  const std::shared_ptr<ServerShared> shared_;
  std::vector<ConnectionSet> open_;
  tcp::acceptor acceptor_;
  Executor::TimerId pause_timer_ = 0;
  uint16_t port_ = 0;
  size_t next_loop_ = 0;
};

absl::Status Server::Impl::Start() {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(shared_->options.address, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen address ", shared_->options.address, " is not an IP address"));
  }
  const tcp::endpoint endpoint(address, shared_->options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (!error) acceptor_.native_non_blocking(true, error);
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return absl::UnavailableError(absl::StrCat("cannot listen on ", shared_->options.address,
                                               " port ", shared_->options.port, ": ",
                                               error.message()));
  }
  port_ = acceptor_.local_endpoint(error).port();
  home_.Post([self = shared_from_this()] { self->AwaitClients(); });
  return absl::OkStatus();
}

void Server::Impl::AwaitClients() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_wait(tcp::acceptor::wait_read,
                       [self = shared_from_this()](const error_code& error) {
                         if (!error) self->Accept();
                       });
}

void Server::Impl::Accept() {
  if (!acceptor_.is_open()) return;
  AcceptSome();
  if (pause_timer_ == 0) AwaitClients();
}

// False when no client is left waiting, or the process has no descriptor for it.
bool Server::Impl::AcceptSome() {
  for (int i = 0; i < kAcceptsPerWake; ++i) {
    sockaddr_storage storage = {};
    socklen_t length = sizeof(storage);
    const int fd = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&storage),
                             &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      HandOver(Descriptor(fd), PeerAddress(storage), storage.ss_family);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (!ConcernsOneClient(errno)) {
      Pause();
      return false;
    }
  }
  return true;
}

void Server::Impl::Pause() {
  pause_timer_ = home_.RunAfter(kAcceptPause, [self = shared_from_this()] {
    self->pause_timer_ = 0;
    self->AwaitClients();
  });
}

void Server::Impl::HandOver(Descriptor descriptor, std::string peer, int protocol_family) {
  const int limit = static_cast<int>(shared_->options.max_connections);
  if (shared_->connections.load(std::memory_order_relaxed) >= limit || !shared_->AdmitPeer(peer)) {
    shared_->refused.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  shared_->accepted.fetch_add(1, std::memory_order_relaxed);
  shared_->connections.fetch_add(1, std::memory_order_relaxed);
  const size_t index = next_loop_++ % loops_.size();
  asio::dispatch(net::IoContextOf(loops_.at(index)),
                 [self = shared_from_this(), index, descriptor = std::move(descriptor),
                  peer = std::move(peer), protocol_family]() mutable {
                   self->Adopt(index, std::move(descriptor), std::move(peer), protocol_family);
                 });
}

void Server::Impl::Adopt(size_t loop_index, Descriptor descriptor, std::string peer,
                         int protocol_family) {
  net::EventLoop& loop = loops_.at(loop_index);
  tcp::socket socket(net::IoContextOf(loop));
  error_code error;
  const int fd = descriptor.Release();
  socket.assign(protocol_family == AF_INET ? tcp::v4() : tcp::v6(), fd, error);
  if (error) {
    ::close(fd);
    shared_->connections.fetch_sub(1, std::memory_order_relaxed);
    shared_->ReleasePeer(peer);
    return;
  }
  socket.non_blocking(true, error);
  socket.set_option(tcp::no_delay(true), error);
  std::make_shared<ServerConnection>(loop, std::move(socket), std::move(peer), shared_,
                                     open_[loop_index])
      ->Start();
}

// Clients whose connection is complete in the kernel's queue are still taken in: closing would
// reset them.
void Server::Impl::CloseListener() {
  if (!acceptor_.is_open()) return;
  while (AcceptSome()) {
  }
  home_.Cancel(pause_timer_);
  error_code ignored;
  acceptor_.close(ignored);
}

void Server::Impl::BeginDrain() {
  shared_->draining = true;
  if (shared_->closing.exchange(true)) return;
  home_.Dispatch([self = shared_from_this()] {
    self->CloseListener();
    for (size_t i = 0; i < self->loops_.size(); ++i) {
      self->loops_.at(i).Post([self, i] { self->DrainLoop(i); });
    }
  });
}

void Server::Impl::DrainLoop(size_t loop_index) {
  const std::vector<ServerConnection*> connections(open_[loop_index].begin(),
                                                   open_[loop_index].end());
  for (ServerConnection* connection : connections) {
    if (open_[loop_index].contains(connection)) connection->OnDrain();
  }
}

void Server::Impl::Stop() {
  shared_->draining = true;
  home_.RunAndWait([this] { CloseListener(); });
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).RunAndWait([this, i] {
      while (!open_[i].empty()) (*open_[i].begin())->Close();
    });
  }
}

Server::Server(net::EventLoopGroup& loops, ServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(loops, std::move(options), std::move(handler))) {}

Server::~Server() { impl_->Stop(); }

absl::Status Server::Start() { return impl_->Start(); }
uint16_t Server::port() const { return impl_->port(); }
void Server::AnnounceDrain() { impl_->AnnounceDrain(); }
void Server::BeginDrain() { impl_->BeginDrain(); }
int Server::InFlight() const { return impl_->shared().in_flight.load(std::memory_order_relaxed); }
int Server::Connections() const {
  return impl_->shared().connections.load(std::memory_order_relaxed);
}

Server::Stats Server::stats() const {
  const ServerShared& shared = impl_->shared();
  return {shared.accepted.load(),     shared.refused.load(),  shared.requests.load(),
          shared.bad_requests.load(), shared.timeouts.load(), shared.client_gone.load()};
}

}  // namespace signalbox::http
