// One established connection to an origin: carries one call at a time, rests in the pool between
// calls and notices there when the server closes it. Private to the client.
//
// Lives on one loop. Owned by its call or by the pool, and by the operations pending on its socket.
#ifndef SIGNALBOX_COMMON_HTTP_CLIENT_CONNECTION_H_
#define SIGNALBOX_COMMON_HTTP_CLIENT_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/http/lazy_deadline.h"
#include "common/http/transport.h"

namespace signalbox::http {

// The bytes of one request; shared with the write in flight.
struct WireRequest {
  std::string head;
  std::string body;
};

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  // The call that uses the connection. It is called from the loop, never from inside a method of
  // the connection, but for OnSent, which Send may call.
  class User {
   public:
    virtual ~User() = default;
    virtual void OnSent() = 0;
    virtual void OnInput() = 0;               // input() has grown
    virtual void OnBroken(bool orderly) = 0;  // closed by the server, or lost; no more input
    virtual void OnDeadline() = 0;
  };

  ClientConnection(net::EventLoop& loop, std::unique_ptr<Transport> transport,
                   std::string pool_key);

  void Attach(User* user) { user_ = user; }
  void Send(std::shared_ptr<const WireRequest> request);
  absl::string_view input() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void Consume(size_t bytes) { begin_ += bytes; }
  // Asks for more input; nothing happens when a read is pending.
  void Read();
  LazyDeadline& deadline() { return deadline_; }
  bool sending() const { return sending_; }
  bool is_open() const { return open_; }
  // For good. `reset`: in the middle of an answer.
  void Close(bool reset);

  // Becomes idle: `ended` is called once when the server closes it or `lifetime` is over.
  void Rest(absl::Duration lifetime, std::function<void()> ended);
  // Back to work.
  void Wake();
  const std::string& pool_key() const { return pool_key_; }

 private:
  void SendRest(std::shared_ptr<const WireRequest> request, size_t sent);
  size_t TrySendNow(const WireRequest& request, bool* broken);
  void OnSendDone();
  void OnSendFailed();
  void MakeRoom();
  void OnRead(const boost::system::error_code& error, size_t bytes);
  void OnDeadline();
  void Broken(bool orderly);
  void EndRest();

  std::unique_ptr<Transport> transport_;
  const std::string pool_key_;
  LazyDeadline deadline_;
  User* user_ = nullptr;
  std::function<void()> rest_ended_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool reading_ = false;
  bool sending_ = false;
  bool open_ = true;
};

// Idle connections by origin, the one used last first: those at the back of the queue can age and
// go.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  ConnectionPool(size_t max_idle_per_origin, absl::Duration idle_lifetime)
      : max_idle_(max_idle_per_origin), lifetime_(idle_lifetime) {}

  // Null when there is none.
  std::shared_ptr<ClientConnection> Take(absl::string_view key);
  void Put(std::shared_ptr<ClientConnection> connection);
  void CloseAll();
  int idle() const { return idle_; }

 private:
  void Remove(ClientConnection* connection);

  const size_t max_idle_;
  const absl::Duration lifetime_;
  int idle_ = 0;
  absl::flat_hash_map<std::string, std::vector<std::shared_ptr<ClientConnection>>> by_origin_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_CLIENT_CONNECTION_H_
