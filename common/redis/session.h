// One attempt's socket: TCP or a unix socket, TLS over it where asked for. Private to Link.
//
// Only on the loop's thread. Handlers under way hold the session; once closed they do nothing.
#ifndef SIGNALBOX_COMMON_REDIS_SESSION_H_
#define SIGNALBOX_COMMON_REDIS_SESSION_H_

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/redis/options.h"
#include "common/redis/resp.h"

namespace signalbox::redis {

class Session : public std::enable_shared_from_this<Session> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The other side is there, and is who it says it is where TLS is asked for.
    virtual void OnConnected() = 0;
    virtual void OnBytes(absl::string_view bytes, const std::shared_ptr<Session>& session) = 0;
    // The session is of no more use; the owner closes it.
    virtual void OnBroken(const absl::Status& why) = 0;
    // The socket takes bytes again.
    virtual void OnWritable() = 0;
  };

  Session(boost::asio::io_context& io, Owner& owner, size_t max_reply_bytes);

  void Connect(const Address& address, const Tls& tls);
  // Sends as much as the socket takes now; OnWritable follows when something is left.
  void Write(std::string* out);
  size_t unsent_bytes() const { return sending_.size() - sent_ + from_tls_.size(); }
  // No call of the owner after this.
  void Close();
  bool closed() const { return owner_ == nullptr; }

  ReplyReader reader;

 private:
  using Stream = boost::asio::generic::stream_protocol;

  void ConnectTo(std::vector<Stream::endpoint> endpoints, size_t index);
  void OnTcpConnected();
  bool TakeOver(std::string* out);
  void AwaitWritable();
  void AwaitReadable();
  void Read();
  void Decrypt(absl::string_view bytes);
  void Break(const absl::Status& why);

  Owner* owner_;
  Stream::socket socket_;
  boost::asio::ip::tcp::resolver resolver_;
  std::unique_ptr<TlsStream> tls_;
  std::string from_tls_;  // encrypted, for the socket
  std::string sending_;
  size_t sent_ = 0;
  bool writing_ = false;  // waiting for the socket
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_SESSION_H_
