// One call of the client: finds or opens a connection, sends the request, feeds the handler and
// hands the connection back. Private to the client; see client.h for the contract.
//
// Lives on one loop. Owned by the handle the caller holds, and by pending look-ups.
#ifndef SIGNALBOX_COMMON_HTTP_CLIENT_CALL_H_
#define SIGNALBOX_COMMON_HTTP_CLIENT_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "common/http/client.h"
#include "common/http/client_connection.h"
#include "common/http/dialer.h"
#include "common/http/response_parser.h"

namespace signalbox::http {

// What all calls of a client share.
struct ClientShared {
  explicit ClientShared(net::EventLoop& l)
      : loop(l),
        dial{boost::asio::ssl::context(boost::asio::ssl::context::tls_client), nullptr, {}, true} {}
  net::EventLoop& loop;
  ClientOptions options;
  DialContext dial;
  std::shared_ptr<ConnectionPool> pool;
  Client::Stats stats{};
};

class CallState final : public std::enable_shared_from_this<CallState>,
                        private ClientConnection::User {
 public:
  CallState(std::shared_ptr<ClientShared> shared, ClientRequest request, ClientHandler* handler);
  ~CallState() override;

  void Start();
  void Cancel();
  void Pause();
  void Resume();

 private:
  void OnSent() override;
  void OnInput() override;
  void OnBroken(bool orderly) override;
  void OnDeadline() override;

  void Dial();
  void UseConnection(std::shared_ptr<ClientConnection> connection);
  void Process();
  // False when the loop in Process has to stop.
  bool Step();
  void Complete();
  void Lost();
  void Fail(ClientError::Kind kind, std::string message);
  ClientHandler* Release();
  bool running() const { return handler_ != nullptr; }

  const std::shared_ptr<ClientShared> shared_;
  const std::string pool_key_;
  const Origin origin_;
  const absl::Duration connect_timeout_;
  const absl::Duration head_timeout_;
  const absl::Duration idle_timeout_;
  const bool head_request_;
  std::shared_ptr<const WireRequest> wire_;  // null when the request cannot be put on a wire
  ClientHandler* handler_;
  std::shared_ptr<Dialer> dialer_;
  std::shared_ptr<ClientConnection> connection_;
  std::optional<ResponseParser> parser_;
  bool reused_ = false;
  bool retried_ = false;
  bool received_bytes_ = false;
  bool head_done_ = false;
  bool paused_ = false;
  bool processing_ = false;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_CLIENT_CALL_H_
