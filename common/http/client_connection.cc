#include "common/http/client_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <utility>

namespace signalbox::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBuffer = 16 * 1024;  // one TLS record

// What is left of head and body after `sent` bytes. TLS takes the first buffer only, in a record of
// its own.
std::array<asio::const_buffer, 2> Remaining(const WireRequest& request, size_t sent) {
  const size_t head_sent = std::min(sent, request.head.size());
  const size_t body_sent = sent - head_sent;
  return {asio::buffer(request.head.data() + head_sent, request.head.size() - head_sent),
          asio::buffer(request.body.data() + body_sent, request.body.size() - body_sent)};
}

}  // namespace

ClientConnection::ClientConnection(net::EventLoop& loop, std::unique_ptr<Transport> transport,
                                   std::string pool_key)
    : transport_(std::move(transport)),
      pool_key_(std::move(pool_key)),
      deadline_(loop, [this] { OnDeadline(); }),
      buffer_(kReadBuffer) {}

// ---- Sending
// ------------------------------------------------------------------------------------------------------

void ClientConnection::Send(std::shared_ptr<const WireRequest> request) {
  sending_ = true;
  bool broken = false;
  const size_t sent = transport_->is_tls() ? 0 : TrySendNow(*request, &broken);
  if (broken) return OnSendFailed();
  SendRest(std::move(request), sent);
}

// One system call straight from the caller's stack; what the kernel does not take is sent
// asynchronously.
size_t ClientConnection::TrySendNow(const WireRequest& request, bool* broken) {
  error_code error;
  const size_t sent = transport_->socket().write_some(Remaining(request, 0), error);
  *broken = error && error != asio::error::would_block && error != asio::error::try_again;
  return sent;
}

void ClientConnection::SendRest(std::shared_ptr<const WireRequest> request, size_t sent) {
  if (sent == request->head.size() + request->body.size()) return OnSendDone();
  const auto buffers = Remaining(*request, sent);
  const auto handler = [self = shared_from_this(), request, sent](const error_code& error,
                                                                  size_t bytes) {
    if (!self->open_) return;
    if (error) return self->OnSendFailed();
    self->SendRest(request, sent + bytes);
  };
  transport_->AsyncWriteSome(buffers, handler);
}

void ClientConnection::OnSendDone() {
  sending_ = false;
  if (user_ != nullptr) user_->OnSent();
}

// A server may refuse a long request before it has read it all, and close. Its answer is worth more
// than our broken pipe: the read side tells, by an answer or by its own end. The connection counts
// as sending for ever and is not reused.
void ClientConnection::OnSendFailed() { Read(); }

// ---- Reading
// ------------------------------------------------------------------------------------------------------

void ClientConnection::Read() {
  if (reading_ || !open_) return;
  MakeRoom();
  reading_ = true;
  transport_->AsyncReadSome(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                            [self = shared_from_this()](const error_code& error, size_t bytes) {
                              self->OnRead(error, bytes);
                            });
}

// What the parser leaves unconsumed is bounded by its own limits, and so is this growth.
void ClientConnection::MakeRoom() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) {
    buffer_.resize(buffer_.size() * 2);
  } else if (end_ == 0 && buffer_.size() > kReadBuffer) {
    buffer_ = std::vector<char>(kReadBuffer);
  }
}

void ClientConnection::OnRead(const error_code& error, size_t bytes) {
  reading_ = false;
  if (!open_) return;
  if (rest_ended_ != nullptr) return EndRest();  // closed, or bytes nobody asked for
  if (error) return Broken(error == asio::error::eof);
  end_ += bytes;
  if (user_ != nullptr) user_->OnInput();
}

void ClientConnection::Broken(bool orderly) {
  const auto keep = shared_from_this();
  Close(/*reset=*/false);
  if (user_ != nullptr) user_->OnBroken(orderly);
}

void ClientConnection::Close(bool reset) {
  if (!open_) return;
  open_ = false;
  deadline_.Clear();
  transport_->Close(reset);
}

void ClientConnection::OnDeadline() {
  const auto keep = shared_from_this();
  if (rest_ended_ != nullptr) return EndRest();
  if (user_ != nullptr) user_->OnDeadline();
}

// ---- Resting
// ------------------------------------------------------------------------------------------------------

void ClientConnection::Rest(absl::Duration lifetime, std::function<void()> ended) {
  user_ = nullptr;
  rest_ended_ = std::move(ended);
  deadline_.Set(lifetime);
  Read();
}

void ClientConnection::Wake() {
  rest_ended_ = nullptr;
  deadline_.Clear();
}

void ClientConnection::EndRest() {
  Close(/*reset=*/false);
  const auto ended = std::exchange(rest_ended_, nullptr);
  ended();
}

std::shared_ptr<ClientConnection> ConnectionPool::Take(absl::string_view key) {
  const auto found = by_origin_.find(key);
  if (found == by_origin_.end()) return nullptr;
  std::shared_ptr<ClientConnection> connection = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) by_origin_.erase(found);
  --idle_;
  connection->Wake();
  return connection;
}

void ConnectionPool::Put(std::shared_ptr<ClientConnection> connection) {
  auto& idle = by_origin_[connection->pool_key()];
  if (idle.size() >= max_idle_) {
    connection->Close(/*reset=*/false);
    if (idle.empty()) by_origin_.erase(connection->pool_key());
    return;
  }
  connection->Rest(lifetime_, [weak = weak_from_this(), raw = connection.get()] {
    if (const auto self = weak.lock()) self->Remove(raw);
  });
  idle.push_back(std::move(connection));
  ++idle_;
}

void ConnectionPool::Remove(ClientConnection* connection) {
  const auto found = by_origin_.find(connection->pool_key());
  if (found == by_origin_.end()) return;
  auto& idle = found->second;
  const auto position = std::find_if(idle.begin(), idle.end(), [connection](const auto& item) {
    return item.get() == connection;
  });
  if (position == idle.end()) return;
  idle.erase(position);
  --idle_;
  if (idle.empty()) by_origin_.erase(found);
}

void ConnectionPool::CloseAll() {
  const auto all = std::exchange(by_origin_, {});
  idle_ = 0;
  for (const auto& [key, idle] : all) {
    for (const auto& connection : idle) connection->Close(/*reset=*/false);
  }
}

}  // namespace signalbox::http
