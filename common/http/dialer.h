// Opens one connection: name look-up, address policy, TCP (each address in turn), CONNECT through a
// proxy, TLS; all within one deadline. Private to the client.
//
// Lives on one loop.
#ifndef SIGNALBOX_COMMON_HTTP_DIALER_H_
#define SIGNALBOX_COMMON_HTTP_DIALER_H_

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http/client.h"
#include "common/http/lazy_deadline.h"
#include "common/http/resolver.h"
#include "common/http/response_parser.h"
#include "common/http/transport.h"

namespace signalbox::http {

// What all dialers of a client share.
struct DialContext {
  boost::asio::ssl::context tls;
  std::shared_ptr<Resolver> resolver;
  std::optional<Origin> proxy;
  bool allow_private_addresses;
};

class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  using Connected = std::function<void(std::unique_ptr<Transport>)>;
  using Failed = std::function<void(const ClientError&)>;

  Dialer(net::EventLoop& loop, DialContext& context, const Origin& origin);
  ~Dialer();
  // Exactly one of the callbacks is called, later, unless Cancel comes first.
  void Start(absl::Duration timeout, Connected connected, Failed failed);
  void Cancel();

 private:
  void OnAddresses(const absl::StatusOr<Resolver::Addresses>& answer);
  void ConnectNext();
  void OnConnect(size_t attempt, const boost::system::error_code& error);
  void OpenTunnel();
  void ReadTunnelAnswer();
  void OnTunnelBytes(const boost::system::error_code& error, size_t bytes);
  void Handshake();
  void OnHandshake(const boost::system::error_code& error);
  void OnDeadline();
  void Succeed();
  void Fail(ClientError::Kind kind, std::string message);
  bool done() const { return connected_ == nullptr; }
  uint16_t port() const { return context_.proxy ? context_.proxy->port : origin_.port; }

  net::EventLoop& loop_;
  DialContext& context_;
  const Origin origin_;
  LazyDeadline deadline_;
  int64_t give_up_ns_ = 0;
  std::unique_ptr<Transport> transport_;
  Resolver::Addresses addresses_;
  size_t attempt_ = 0;  // index of the address being tried, plus one
  std::string last_error_;
  std::string tunnel_request_;
  std::string tunnel_input_;
  Connected connected_;
  Failed failed_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_DIALER_H_
