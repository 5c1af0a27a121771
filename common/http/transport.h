// A connected byte stream to a provider: TCP, or TLS over it. Private to the client.
//
// Lives on one loop.
#ifndef SIGNALBOX_COMMON_HTTP_TRANSPORT_H_
#define SIGNALBOX_COMMON_HTTP_TRANSPORT_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <utility>

namespace signalbox::http {

class Transport {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  explicit Transport(boost::asio::io_context& io) : socket_(io) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  Socket& socket() { return socket_; }
  bool is_tls() const { return tls_.has_value(); }
  boost::asio::ssl::stream<Socket&>& StartTls(boost::asio::ssl::context& context) {
    return tls_.emplace(socket_, context);
  }
  // REQUIRES: is_tls().
  boost::asio::ssl::stream<Socket&>& tls() { return *tls_; }

  template <typename Buffers, typename Handler>
  void AsyncReadSome(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }
  template <typename Buffers, typename Handler>
  void AsyncWriteSome(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

  // With `reset` the peer learns at once that nobody reads any more, also when it only ever writes.
  void Close(bool reset) {
    boost::system::error_code ignored;
    if (reset) socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
  }

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_TRANSPORT_H_
