#include "common/redis/session.h"

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace signalbox::redis {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = 64 * 1024;
// A buffer that once held a large command is not kept for ever.
constexpr size_t kKeepBytes = 256 * 1024;

absl::Status Lost(absl::string_view what, const error_code& error) {
  return absl::UnavailableError(absl::StrCat("redis: ", what, ": ", error.message()));
}

ReplyReader::Limits MakeLimits(size_t max_reply_bytes) {
  ReplyReader::Limits limits;
  limits.max_buffered_bytes = max_reply_bytes;
  return limits;
}

}  // namespace

Session::Session(asio::io_context& io, Owner& owner, size_t max_reply_bytes)
    : reader(MakeLimits(max_reply_bytes)), owner_(&owner), socket_(io), resolver_(io) {}

void Session::Connect(const Address& address, const Tls& tls) {
  if (tls.contexts != nullptr) {
    auto context = tls.contexts->Get();
    if (!context.ok()) return Break(context.status());
    tls_ = std::make_unique<TlsStream>(*std::move(context),
                                       tls.server_name.empty() ? address.host : tls.server_name);
  }
  if (!address.unix_path.empty()) {
    return ConnectTo({Stream::endpoint(asio::local::stream_protocol::endpoint(address.unix_path))},
                     0);
  }
  error_code error;
  const asio::ip::address literal = asio::ip::make_address(address.host, error);
  if (!error) {
    return ConnectTo({Stream::endpoint(asio::ip::tcp::endpoint(literal, address.port))}, 0);
  }
  resolver_.async_resolve(
      address.host, std::to_string(address.port),
      [self = shared_from_this()](const error_code& failure, const auto& results) {
        if (self->closed()) return;
        if (failure) return self->Break(Lost("name look-up", failure));
        std::vector<Stream::endpoint> endpoints;
        for (const auto& entry : results) endpoints.emplace_back(entry.endpoint());
        self->ConnectTo(std::move(endpoints), 0);
      });
}

void Session::ConnectTo(std::vector<Stream::endpoint> endpoints, size_t index) {
  if (index == endpoints.size())
    return Break(absl::UnavailableError("redis: no address to connect to"));
  const Stream::endpoint endpoint = endpoints[index];
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(endpoint, [self = shared_from_this(), endpoints = std::move(endpoints),
                                   index](const error_code& error) mutable {
    if (self->closed()) return;
    if (error && index + 1 < endpoints.size())
      return self->ConnectTo(std::move(endpoints), index + 1);
    if (error) return self->Break(Lost("connect", error));
    self->OnTcpConnected();
  });
}

void Session::OnTcpConnected() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  // Fails on a unix socket, where it is not needed.
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  AwaitReadable();
  if (tls_ == nullptr) return owner_->OnConnected();
  const absl::Status started = tls_->Start(&from_tls_);
  if (!started.ok()) return Break(started);
  owner_->OnWritable();
}

void Session::Write(std::string* out) {
  if (writing_ || closed()) return;
  error_code error;
  while (!error && (sent_ < sending_.size() || TakeOver(out)))
    sent_ += socket_.write_some(asio::buffer(sending_) + sent_, error);
  if (error == asio::error::would_block) return AwaitWritable();
  if (error) Break(Lost("write", error));
}

// What is to be sent next; false = nothing.
bool Session::TakeOver(std::string* out) {
  if (sending_.capacity() > kKeepBytes) sending_ = std::string();
  sending_.clear();
  sent_ = 0;
  if (tls_ == nullptr) {
    sending_.swap(*out);
    return !sending_.empty();
  }
  sending_.swap(from_tls_);
  if (tls_->established() && !out->empty()) {
    const absl::Status encrypted = tls_->Send(*out, &sending_);
    if (!encrypted.ok()) Break(encrypted);
    if (out->capacity() > kKeepBytes) *out = std::string();
    out->clear();
  }
  return !sending_.empty() && !closed();
}

void Session::AwaitWritable() {
  writing_ = true;
  socket_.async_wait(Stream::socket::wait_write,
                     [self = shared_from_this()](const error_code& error) {
                       self->writing_ = false;
                       if (self->closed()) return;
                       if (error) return self->Break(Lost("write", error));
                       self->owner_->OnWritable();
                     });
}

void Session::AwaitReadable() {
  socket_.async_wait(Stream::socket::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       if (self->closed()) return;
                       if (error) return self->Break(Lost("read", error));
                       self->Read();
                     });
}

// One read per wake-up: a second one would nearly always answer "nothing more".
void Session::Read() {
  static thread_local std::array<char, kReadBytes> buffer;
  error_code error;
  const size_t size = socket_.read_some(asio::buffer(buffer), error);
  if (error == asio::error::would_block) return AwaitReadable();
  if (error) return Break(Lost("read", error));
  const auto self = shared_from_this();
  const absl::string_view bytes(buffer.data(), size);
  if (tls_ != nullptr) {
    Decrypt(bytes);
  } else {
    owner_->OnBytes(bytes, self);
  }
  if (!closed()) AwaitReadable();
}

void Session::Decrypt(absl::string_view bytes) {
  const bool was_established = tls_->established();
  std::string plain;
  const absl::Status received = tls_->Receive(bytes, &plain, &from_tls_);
  const auto self = shared_from_this();
  if (!from_tls_.empty()) owner_->OnWritable();
  if (!closed() && !was_established && tls_->established()) owner_->OnConnected();
  if (!closed() && !plain.empty()) owner_->OnBytes(plain, self);
  if (!closed() && !received.ok()) Break(received);
}

void Session::Break(const absl::Status& why) {
  if (!closed()) owner_->OnBroken(why);
}

void Session::Close() {
  owner_ = nullptr;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace signalbox::redis
