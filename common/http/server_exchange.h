// The Exchange of server.h: turns Respond and Write into bytes for its connection. Private to the
// room.
#ifndef SIGNALBOX_COMMON_HTTP_SERVER_EXCHANGE_H_
#define SIGNALBOX_COMMON_HTTP_SERVER_EXCHANGE_H_

#include <functional>
#include <memory>
#include <string>

#include "common/http/response_head.h"
#include "common/http/server_connection.h"

namespace signalbox::http {

class ServerExchange final : public Exchange {
 public:
  ServerExchange(std::shared_ptr<ServerConnection> connection, bool head_request, bool http11,
                 bool keep_alive);
  ~ServerExchange() override;

  Executor& executor() override { return connection_->loop(); }
  void Respond(Response response) override;
  void StartStream(int status, Headers headers) override;
  void Write(std::string bytes) override;
  void Finish() override;
  void Abort() override;
  size_t Buffered() const override { return open_ ? connection_->writer().size() : 0; }
  void OnWritable(std::function<void()> callback) override { on_writable_ = std::move(callback); }
  void OnClientGone(std::function<void()> callback) override;

  // For the connection: the answer can no longer be delivered. Calls the client-gone callback when
  // `notify`.
  void Detach(bool notify);
  void CheckWritable();

 private:
  ConnectionField ConnectionFieldFor(bool close) const;
  bool MustClose() const { return !keep_alive_ || connection_->draining(); }
  void End(ServerConnection::Ending ending);

  const std::shared_ptr<ServerConnection> connection_;
  const bool head_request_;
  const bool http11_;
  const bool keep_alive_;
  bool open_ = true;  // until the answer has ended or the client has gone
  bool client_gone_ = false;
  bool started_ = false;
  bool close_after_ = false;
  bool above_high_ = false;
  Framing framing_ = Framing::kNone;
  std::function<void()> on_writable_;
  std::function<void()> on_client_gone_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_SERVER_EXCHANGE_H_
