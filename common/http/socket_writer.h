// The sending side of a server connection: bytes are joined while a write is in flight or until the
// current turn of the loop ends, then leave in one gather write. Writes are tried directly on the
// non-blocking socket; only what the kernel does not take waits for it to become writable.
//
// Lives on the socket's loop.
#ifndef SIGNALBOX_COMMON_HTTP_SOCKET_WRITER_H_
#define SIGNALBOX_COMMON_HTTP_SOCKET_WRITER_H_

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::http {

class SocketWriter {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Keeps the writer alive while the kernel is busy with it.
    virtual std::shared_ptr<void> KeepAlive() = 0;
    // After each flush that the kernel answered, also a partial one: look at size().
    virtual void OnWriteProgress() = 0;
    virtual void OnWriteError() = 0;
  };

  SocketWriter(boost::asio::ip::tcp::socket& socket, Owner& owner)
      : socket_(socket), owner_(owner) {}

  // Where the next bytes are appended. Follow with Flush or FlushSoon.
  std::string& pending() { return pending_; }
  // Bytes to send after `pending`, without copying them. REQUIRES: nothing is appended before they
  // are flushed.
  void SetTail(std::string tail) { tail_ = std::move(tail); }

  // Sends now. May call the owner.
  void Flush();
  // Sends when the current turn of the loop has ended.
  void FlushSoon();

  // Bytes not yet accepted by the kernel.
  size_t size() const { return pending_.size() + tail_.size() + InFlight(); }
  bool empty() const { return size() == 0; }
  // Bytes the kernel has accepted so far: tells a stalled client from a slow one.
  uint64_t total_sent() const { return total_sent_; }

 private:
  size_t InFlight() const { return sending_.size() + sending_tail_.size() - sent_; }
  void TakePending();
  bool SendSome(boost::system::error_code& error);
  void AwaitWritable();

  boost::asio::ip::tcp::socket& socket_;
  Owner& owner_;
  std::string pending_;
  std::string tail_;
  std::string sending_;
  std::string sending_tail_;
  size_t sent_ = 0;  // of the two buffers being sent
  uint64_t total_sent_ = 0;
  bool waiting_ = false;  // for the socket to become writable
  bool flush_posted_ = false;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_SOCKET_WRITER_H_
