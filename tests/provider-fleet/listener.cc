#include "tests/provider-fleet/listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/detail/socket_option.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace signalbox::fleet {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kAcceptRetry{50};

absl::Status Bind(tcp::acceptor* acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  acceptor->open(endpoint.protocol(), error);
  // The reservation and the listening socket share the port.
  if (!error) acceptor->set_option(ReusePort(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) return absl::OkStatus();
  error_code ignored;
  acceptor->close(ignored);
  return absl::UnavailableError(absl::StrCat("cannot listen on ", endpoint.address().to_string(),
                                             ":", endpoint.port(), ": ", error.message()));
}

}  // namespace

Listener::Listener(std::vector<std::unique_ptr<Worker>>* workers, int64_t max_body_bytes)
    : workers_(workers),
      max_body_bytes_(max_body_bytes),
      reservation_(workers->front()->io),
      acceptor_(workers->front()->io),
      retry_(workers->front()->io) {}

absl::Status Listener::Reserve(const tcp::endpoint& endpoint) {
  if (endpoint.port() != 0) {
    // SO_REUSEPORT would let two fleets share a fixed port silently: make sure that it is free.
    error_code error;
    tcp::acceptor probe(workers_->front()->io);
    probe.open(endpoint.protocol(), error);
    if (!error) probe.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) probe.bind(endpoint, error);
    if (error)
      return absl::UnavailableError(absl::StrCat("port ", endpoint.port(), ": ", error.message()));
  }
  if (absl::Status bound = Bind(&reservation_, endpoint); !bound.ok()) return bound;
  error_code ignored;
  endpoint_ = reservation_.local_endpoint(ignored);
  return absl::OkStatus();
}

absl::Status Listener::Open() {
  if (absl::Status bound = Bind(&acceptor_, endpoint_); !bound.ok()) return bound;
  error_code error;
  acceptor_.listen(kBacklog, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot listen: ", error.message()));
  Accept();
  return absl::OkStatus();
}

void Listener::Close() {
  error_code ignored;
  acceptor_.close(ignored);
  for (const std::weak_ptr<Connection>& weak : connections_) {
    if (auto connection = weak.lock()) connection->Reset();
  }
  connections_.clear();
}

void Listener::Accept() {
  Worker* worker = (*workers_)[next_worker_++ % workers_->size()].get();
  acceptor_.async_accept(worker->io, [this, worker](const error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error) return AcceptLater();  // out of file descriptors
    Deal(worker, std::move(socket));
    Accept();
  });
}

void Listener::Deal(Worker* worker, tcp::socket socket) {
  auto connection =
      std::make_shared<Connection>(std::move(socket), &worker->responder, max_body_bytes_);
  if (connections_.size() >= prune_at_) {
    connections_.erase(
        std::remove_if(connections_.begin(), connections_.end(),
                       [](const std::weak_ptr<Connection>& weak) { return weak.expired(); }),
        connections_.end());
    prune_at_ = std::max<size_t>(64, connections_.size() * 2);
  }
  connections_.push_back(connection);
  asio::post(worker->io, [connection] { connection->Start(); });
}

void Listener::AcceptLater() {
  retry_.expires_after(kAcceptRetry);
  retry_.async_wait([this](const error_code& error) {
    if (!error && acceptor_.is_open()) Accept();
  });
}

}  // namespace signalbox::fleet
