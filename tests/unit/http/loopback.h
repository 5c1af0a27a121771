// Blocking raw sockets on the loopback device for the HTTP tests: the other end of whatever is
// being tested, free to send bytes no decent client or server would send.
#ifndef SIGNALBOX_TESTS_UNIT_HTTP_LOOPBACK_H_
#define SIGNALBOX_TESTS_UNIT_HTTP_LOOPBACK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"

namespace signalbox::http {

// A connected socket. Every wait is bounded by a few seconds, so that a broken test fails instead
// of hanging.
class RawSocket {
 public:
  explicit RawSocket(int fd = -1);
  static RawSocket ConnectTo(uint16_t port);
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&& other) noexcept;
  ~RawSocket();

  // False when the peer has closed.
  bool Send(absl::string_view bytes);
  // What arrives next; empty at the end of the stream, on a reset and on time-out.
  std::string ReadSome();
  std::string ReadToEnd();
  // Reads until `text` has arrived (or the end). Returns everything read so far and not yet taken.
  std::string ReadUntil(absl::string_view text);
  // One whole response with Content-Length or without body; the rest stays for the next call.
  std::string ReadResponse();
  // One request likewise.
  std::string ReadRequest() { return ReadResponse(); }
  // True when the peer closes or resets within the time.
  bool WaitForClose(int milliseconds);
  // A small receive window, to make the peer feel back-pressure soon.
  void ShrinkReceiveBuffer();
  void ShutdownWrite();
  void Close();
  void Reset();  // closes with RST
  int fd() const { return fd_; }
  // Length of the first message with Content-Length in `bytes`, 0 when it is incomplete.
  static size_t MessageSize(const std::string& bytes);

 private:
  int fd_;
  std::string buffer_;
};

// Accepts on a free port and runs `script` for each connection, with its number from 0, on a thread
// of its own.
class RawServer {
 public:
  using Script = std::function<void(RawSocket socket, int connection)>;
  explicit RawServer(Script script);
  ~RawServer();
  uint16_t port() const { return port_; }
  int accepted() const { return accepted_.load(); }

 private:
  int listener_;
  uint16_t port_;
  std::atomic<int> accepted_{0};
  Script script_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_TESTS_UNIT_HTTP_LOOPBACK_H_
