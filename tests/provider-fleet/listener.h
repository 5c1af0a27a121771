// A listening port whose connections are dealt round robin to the workers: even spread also for few
// connections, which SO_REUSEPORT does not give. A provider's own port can be closed and opened
// again under the same number.
//
// All calls on the accepting thread, except the constructor and port().
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_LISTENER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_LISTENER_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "tests/provider-fleet/connection.h"
#include "tests/provider-fleet/responder.h"

namespace signalbox::fleet {

// One thread's event loop and what lives on it. Members die in reverse order: connections before
// their responder.
struct Worker {
  explicit Worker(Roster* roster) : responder(roster) {}
  Responder responder;
  boost::asio::io_context io{1};
};

class Listener {
 public:
  // Accepts on the first worker. The workers outlive it.
  Listener(std::vector<std::unique_ptr<Worker>>* workers, int64_t max_body_bytes);

  // Takes the port (0: any) without listening: connections are refused until Open.
  absl::Status Reserve(const boost::asio::ip::tcp::endpoint& endpoint);
  int port() const { return endpoint_.port(); }

  absl::Status Open();
  // Refuses new connections and resets the present ones.
  void Close();
  bool is_open() const { return acceptor_.is_open(); }

 private:
  void Accept();
  void Deal(Worker* worker, boost::asio::ip::tcp::socket socket);
  void AcceptLater();

  std::vector<std::unique_ptr<Worker>>* const workers_;
  const int64_t max_body_bytes_;
  boost::asio::ip::tcp::endpoint endpoint_;
  boost::asio::ip::tcp::acceptor reservation_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  size_t next_worker_ = 0;
  std::vector<std::weak_ptr<Connection>> connections_;
  size_t prune_at_ = 64;  // connections_ is cleared of dead ones when it reaches this size
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_LISTENER_H_
