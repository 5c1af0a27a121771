#include "common/http/dialer.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/http/address_policy.h"
#include "common/net/event_loop_asio.h"

namespace signalbox::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kMaxTunnelAnswer = 8 * 1024;
constexpr int64_t kMinAttemptNanos = 250'000'000;

}  // namespace

Dialer::Dialer(net::EventLoop& loop, DialContext& context, const Origin& origin)
    : loop_(loop), context_(context), origin_(origin), deadline_(loop, [this] { OnDeadline(); }) {}

Dialer::~Dialer() = default;

void Dialer::Start(absl::Duration timeout, Connected connected, Failed failed) {
  connected_ = std::move(connected);
  failed_ = std::move(failed);
  timeout = std::min(timeout, absl::Hours(1));
  give_up_ns_ = LazyDeadline::NowNanos() + absl::ToInt64Nanoseconds(timeout);
  deadline_.Set(timeout);
  if (context_.proxy && context_.proxy->host.empty()) {
    return Fail(ClientError::Kind::kConnect, "the configured proxy is not a valid http:// URL");
  }
  const std::string& host = context_.proxy ? context_.proxy->host : origin_.host;
  context_.resolver->Resolve(host, [weak = weak_from_this()](const auto& answer) {
    if (const auto self = weak.lock()) self->OnAddresses(answer);
  });
}

void Dialer::Cancel() {
  connected_ = nullptr;
  failed_ = nullptr;
  deadline_.Clear();
  if (transport_ != nullptr) transport_->Close(/*reset=*/false);
}

void Dialer::OnAddresses(const absl::StatusOr<Resolver::Addresses>& answer) {
  if (done()) return;
  if (!answer.ok())
    return Fail(ClientError::Kind::kResolve, std::string(answer.status().message()));
  addresses_ = *answer;
  // Through a proxy the provider's name is resolved by the proxy, whose address the operator chose.
  if (!context_.allow_private_addresses && !context_.proxy) {
    addresses_.erase(std::remove_if(addresses_.begin(), addresses_.end(),
                                    [](const auto& address) { return !IsPublicAddress(address); }),
                     addresses_.end());
  }
  if (addresses_.empty()) {
    return Fail(ClientError::Kind::kResolve, absl::StrCat(origin_.host, " has no public address"));
  }
  ConnectNext();
}

// Each address gets an equal share of the time that is left.
void Dialer::ConnectNext() {
  if (attempt_ == addresses_.size()) return Fail(ClientError::Kind::kConnect, last_error_);
  const int64_t left = give_up_ns_ - LazyDeadline::NowNanos();
  const auto share = std::max<int64_t>(left / static_cast<int64_t>(addresses_.size() - attempt_),
                                       std::min(left, kMinAttemptNanos));
  deadline_.Set(absl::Nanoseconds(share));
  const tcp::endpoint endpoint(addresses_[attempt_++], port());
  transport_ = std::make_unique<Transport>(net::IoContextOf(loop_));
  transport_->socket().async_connect(
      endpoint, [self = shared_from_this(), attempt = attempt_](const error_code& error) {
        self->OnConnect(attempt, error);
      });
}

void Dialer::OnConnect(size_t attempt, const error_code& error) {
  if (done() || attempt != attempt_) return;
  if (error) {
    last_error_ = absl::StrCat("cannot connect to ", origin_.host, ": ", error.message());
    return ConnectNext();
  }
  deadline_.Set(absl::Nanoseconds(give_up_ns_ - LazyDeadline::NowNanos()));
  error_code ignored;
  transport_->socket().set_option(tcp::no_delay(true), ignored);
  transport_->socket().non_blocking(true, ignored);
  if (context_.proxy && origin_.tls) return OpenTunnel();
  if (origin_.tls) return Handshake();
  Succeed();
}

void Dialer::OpenTunnel() {
  const bool v6 = absl::StrContains(origin_.host, ':');
  const std::string authority =
      absl::StrCat(v6 ? "[" : "", origin_.host, v6 ? "]" : "", ":", origin_.port);
  tunnel_request_ =
      absl::StrCat("CONNECT ", authority, " HTTP/1.1\r\nHost: ", authority, "\r\n\r\n");
  asio::async_write(transport_->socket(), asio::buffer(tunnel_request_),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      if (self->done()) return;
                      if (error)
                        return self->Fail(ClientError::Kind::kConnect,
                                          "the proxy closed the connection");
                      self->ReadTunnelAnswer();
                    });
}

void Dialer::ReadTunnelAnswer() {
  const size_t old_size = tunnel_input_.size();
  if (old_size >= kMaxTunnelAnswer)
    return Fail(ClientError::Kind::kConnect, "the proxy's answer is too large");
  tunnel_input_.resize(kMaxTunnelAnswer);
  transport_->socket().async_read_some(
      asio::buffer(tunnel_input_.data() + old_size, kMaxTunnelAnswer - old_size),
      [self = shared_from_this(), old_size](const error_code& error, size_t bytes) {
        self->tunnel_input_.resize(old_size + bytes);
        self->OnTunnelBytes(error, bytes);
      });
}

void Dialer::OnTunnelBytes(const error_code& error, size_t) {
  if (done()) return;
  if (error) return Fail(ClientError::Kind::kConnect, "the proxy closed the connection");
  ResponseParser parser({kMaxTunnelAnswer, 100, 0}, ResponseParser::Body::kNone);
  size_t consumed = 0;
  switch (parser.Next(tunnel_input_, &consumed)) {
    case ResponseParser::Event::kNeedMore:
      return ReadTunnelAnswer();
    case ResponseParser::Event::kHead:
      break;
    default:
      return Fail(ClientError::Kind::kConnect, "the proxy's answer is malformed");
  }
  if (parser.status() / 100 != 2) {
    return Fail(ClientError::Kind::kConnect, absl::StrCat("the proxy answered ", parser.status()));
  }
  // Bytes after the head would be taken for the start of the provider's TLS.
  if (consumed != tunnel_input_.size()) {
    return Fail(ClientError::Kind::kConnect, "the proxy sent more than its answer");
  }
  Handshake();
}

void Dialer::Handshake() {
  auto& tls = transport_->StartTls(context_.tls);
  error_code literal_error;
  asio::ip::make_address(origin_.host, literal_error);
  const bool is_name = static_cast<bool>(literal_error);
  if (is_name) SSL_set_tlsext_host_name(tls.native_handle(), origin_.host.c_str());
  error_code error;
  tls.set_verify_callback(asio::ssl::host_name_verification(origin_.host), error);
  if (error) return Fail(ClientError::Kind::kTls, error.message());
  tls.async_handshake(
      asio::ssl::stream_base::client,
      [self = shared_from_this()](const error_code& result) { self->OnHandshake(result); });
}

void Dialer::OnHandshake(const error_code& error) {
  if (done()) return;
  if (!error) return Succeed();
  const long verdict = SSL_get_verify_result(transport_->tls().native_handle());
  Fail(ClientError::Kind::kTls,
       absl::StrCat(
           "TLS with ", origin_.host, " failed: ",
           verdict == X509_V_OK ? error.message() : X509_verify_cert_error_string(verdict)));
}

void Dialer::OnDeadline() {
  if (done()) return;
  const bool more_time = LazyDeadline::NowNanos() < give_up_ns_;
  if (more_time && attempt_ < addresses_.size()) {
    last_error_ = absl::StrCat("cannot connect to ", origin_.host, ": no answer");
    transport_->Close(/*reset=*/false);
    return ConnectNext();
  }
  Fail(ClientError::Kind::kConnectTimeout,
       absl::StrCat("no connection to ", origin_.host, " in time"));
}

void Dialer::Succeed() {
  deadline_.Clear();
  failed_ = nullptr;
  std::exchange(connected_, nullptr)(std::move(transport_));
}

// Posted: a failure known at once must not reach the handler inside Client::Start.
void Dialer::Fail(ClientError::Kind kind, std::string message) {
  deadline_.Clear();
  connected_ = nullptr;
  if (transport_ != nullptr) transport_->Close(/*reset=*/false);
  loop_.Post([self = shared_from_this(), error = ClientError{kind, false, std::move(message)}] {
    const auto failed = std::exchange(self->failed_, nullptr);
    if (failed) failed(error);
  });
}

}  // namespace signalbox::http
