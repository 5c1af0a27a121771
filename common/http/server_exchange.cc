#include "common/http/server_exchange.h"

#include <utility>

namespace signalbox::http {

using Ending = ServerConnection::Ending;

ServerExchange::ServerExchange(std::shared_ptr<ServerConnection> connection, bool head_request,
                               bool http11, bool keep_alive)
    : connection_(std::move(connection)),
      head_request_(head_request),
      http11_(http11),
      keep_alive_(keep_alive) {}

ServerExchange::~ServerExchange() {
  if (!open_) return;
  if (started_) {
    Abort();
  } else {
    Respond({500, {}, {}});
  }
}

void ServerExchange::Respond(Response response) {
  if (!open_ || started_) return;
  started_ = true;
  close_after_ = MustClose();
  const bool has_body = StatusHasBody(response.status);
  std::string& out = connection_->writer().pending();
  AppendResponseHead(response.status, response.headers,
                     has_body ? Framing::kLength : Framing::kNone, response.body.size(),
                     ConnectionFieldFor(close_after_), &out);
  if (has_body && !head_request_) {
    constexpr size_t kCheaperToCopy = 8 * 1024;
    if (response.body.size() <= kCheaperToCopy) {
      out += response.body;
    } else {
      connection_->writer().SetTail(std::move(response.body));
    }
  }
  End(close_after_ ? Ending::kClose : Ending::kKeepAlive);
}

void ServerExchange::StartStream(int status, Headers headers) {
  if (!open_ || started_) return;
  started_ = true;
  framing_ = !StatusHasBody(status) ? Framing::kNone
             : http11_              ? Framing::kChunked
                                    : Framing::kUntilClose;
  close_after_ = MustClose() || framing_ == Framing::kUntilClose;
  AppendResponseHead(status, headers, framing_, 0, ConnectionFieldFor(close_after_),
                     &connection_->writer().pending());
  connection_->writer().FlushSoon();
}

void ServerExchange::Write(std::string bytes) {
  if (!open_ || !started_ || head_request_ || framing_ == Framing::kNone || bytes.empty()) return;
  SocketWriter& writer = connection_->writer();
  if (framing_ == Framing::kChunked) {
    AppendChunk(bytes, &writer.pending());
  } else {
    writer.pending() += bytes;
  }
  const size_t buffered = writer.size();
  if (buffered > connection_->options().max_write_buffer) return connection_->Overflow();
  if (buffered > connection_->options().write_high_watermark) above_high_ = true;
  writer.FlushSoon();
}

void ServerExchange::Finish() {
  if (!open_ || !started_) return;
  if (framing_ == Framing::kChunked && !head_request_) {
    AppendLastChunk(&connection_->writer().pending());
  }
  End(close_after_ ? Ending::kClose : Ending::kKeepAlive);
}

// A chunked answer is visibly cut when the connection ends without the last chunk, so what is
// buffered may still go out; an answer that ends with the connection can only be marked by a reset.
void ServerExchange::Abort() {
  if (!open_) return;
  const bool end_is_visible = started_ && framing_ == Framing::kChunked && !head_request_;
  End(end_is_visible ? Ending::kClose : Ending::kReset);
}

void ServerExchange::End(Ending ending) {
  open_ = false;
  on_writable_ = nullptr;
  on_client_gone_ = nullptr;
  connection_->EndAnswer(ending);
}

void ServerExchange::OnClientGone(std::function<void()> callback) {
  if (open_) {
    on_client_gone_ = std::move(callback);
  } else if (client_gone_ && callback) {
    executor().Post(std::move(callback));  // it left before anyone asked
  }
}

void ServerExchange::Detach(bool notify) {
  open_ = false;
  client_gone_ = notify;
  on_writable_ = nullptr;
  const auto callback = std::exchange(on_client_gone_, nullptr);
  if (notify && callback) callback();
}

void ServerExchange::CheckWritable() {
  if (!above_high_ || connection_->writer().size() >= connection_->options().write_low_watermark)
    return;
  above_high_ = false;
  // A copy: the callback may end the answer and so drop the original.
  const auto writable = on_writable_;
  if (writable) writable();
}

ConnectionField ServerExchange::ConnectionFieldFor(bool close) const {
  if (close) return ConnectionField::kClose;
  return http11_ ? ConnectionField::kNone : ConnectionField::kKeepAlive;
}

}  // namespace signalbox::http
