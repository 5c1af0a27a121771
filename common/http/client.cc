#include "common/http/client.h"

#include <openssl/ssl.h>

#include <utility>

#include "common/http/client_call.h"

namespace signalbox::http {
namespace {

// What the caller holds; dropping it cancels.
class CallHandle final : public ClientCall {
 public:
  explicit CallHandle(std::shared_ptr<CallState> state) : state_(std::move(state)) {}
  ~CallHandle() override { state_->Cancel(); }
  void PauseReading() override { state_->Pause(); }
  void ResumeReading() override { state_->Resume(); }

 private:
  const std::shared_ptr<CallState> state_;
};

void SetUpTls(const ClientOptions& options, boost::asio::ssl::context& context) {
  boost::system::error_code
      ignored;  // an unreadable trust store fails every handshake, with its own message
  context.set_verify_mode(boost::asio::ssl::verify_peer, ignored);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context.native_handle(), kAlpn, sizeof(kAlpn) - 1);
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(ignored);
  } else {
    context.load_verify_file(options.ca_file, ignored);
  }
}

}  // namespace

class Client::Impl {
 public:
  Impl(net::EventLoop& loop, ClientOptions options)
      : shared_(std::make_shared<ClientShared>(loop)) {
    SetUpTls(options, shared_->dial.tls);
    shared_->dial.resolver = std::make_shared<Resolver>(loop);
    shared_->dial.allow_private_addresses = options.allow_private_addresses;
    if (!options.proxy.empty()) {
      const auto proxy = ParseOrigin(options.proxy);
      // A proxy that cannot be understood must not turn into direct connections: an empty host
      // refuses every dial.
      shared_->dial.proxy = proxy.ok() && !proxy->tls ? *proxy : Origin();
    }
    shared_->pool =
        std::make_shared<ConnectionPool>(options.max_idle_per_origin, options.idle_lifetime);
    shared_->options = std::move(options);
  }

  ~Impl() {
    shared_->pool->CloseAll();
    shared_->dial.resolver->Stop();
  }

  const std::shared_ptr<ClientShared> shared_;
};

Client::Client(net::EventLoop& loop, ClientOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Client::~Client() = default;

std::unique_ptr<ClientCall> Client::Start(ClientRequest request, ClientHandler* handler) {
  auto state = std::make_shared<CallState>(impl_->shared_, std::move(request), handler);
  state->Start();
  return std::make_unique<CallHandle>(std::move(state));
}

Client::Stats Client::stats() const {
  Stats stats = impl_->shared_->stats;
  stats.idle = impl_->shared_->pool->idle();
  return stats;
}

}  // namespace signalbox::http
