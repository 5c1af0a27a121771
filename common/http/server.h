// The public edge: an HTTP/1.1 server on Boost.Beast. Strict (anything ambiguous about where a
// request ends is a 400 and the connection closes), bounded (every size, count and wait has a
// limit) and streaming with back-pressure.
//
// Threads: each connection lives on one EventLoop of the group given to Start. A Handler is called
// on that loop, and the Exchange it receives is used on that loop only.
//
//   http::Server server(loops, options, [](http::Request request, std::shared_ptr<http::Exchange>
//   exchange) {
//     exchange->Respond({200, {{"Content-Type", "text/plain"}}, "hello"});
//   });
//   absl::Status started = server.Start();  // bound to server.port()
#ifndef SIGNALBOX_COMMON_HTTP_SERVER_H_
#define SIGNALBOX_COMMON_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/executor.h"
#include "common/http/message.h"
#include "common/net/event_loop.h"

namespace signalbox::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                         // 0 = any free port
  size_t max_header_bytes = 64 * 1024;       // more: 431
  size_t max_header_count = 100;             // more: 431
  size_t max_target_bytes = 8 * 1024;        // more: 414
  size_t max_body_bytes = 32 * 1024 * 1024;  // more: 413
  size_t max_connections = 20'000;           // more: accepted and closed at once, counted
  size_t max_connections_per_peer = 0;       // 0 = no limit
  absl::Duration header_timeout =
      absl::Seconds(10);  // first byte of a request to the end of its headers: 408
  absl::Duration body_timeout = absl::Seconds(60);  // whole body: 408 …
  size_t min_body_bytes_per_second = 1024;  // … extended as long as at least this rate arrives
  absl::Duration idle_timeout =
      absl::Seconds(75);  // keep-alive connection without a request: closed
  absl::Duration write_stall_timeout =
      absl::Seconds(60);                    // no byte of a response accepted: connection aborted
  size_t write_high_watermark = 64 * 1024;  // Exchange::Buffered above this: stop feeding
  size_t write_low_watermark = 16 * 1024;   // the writable callback fires when it falls below
  size_t max_write_buffer =
      8 * 1024 * 1024;  // a stream fed beyond this regardless: as if the client had gone
  // Body of the error responses the server itself makes (400, 408, 413, 414, 417, 431, 501, 505).
  // Called on a loop.
  std::function<Response(int status, absl::string_view reason)> error_response;
};

// One request and its answer. Kept alive by the shared_ptr; a dropped Exchange without an answer
// sends 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual Executor& executor() = 0;

  // The whole answer at once. REQUIRES: nothing was sent on this exchange.
  virtual void Respond(Response response) = 0;

  // A streamed answer (chunked coding; for HTTP/1.0 clients the connection end). StartStream sends
  // the head at once. Each Write is one chunk and, as far as possible, one system call; writes that
  // arrive while one is in flight are joined. After the client has gone all of these do nothing.
  virtual void StartStream(int status, Headers headers) = 0;
  virtual void Write(std::string bytes) = 0;
  virtual void Finish() = 0;
  // Ends the connection so that the client can tell the answer is incomplete.
  virtual void Abort() = 0;

  // Bytes accepted by Write and not yet by the kernel.
  virtual size_t Buffered() const = 0;
  // Called each time Buffered falls from above the high to below the low watermark.
  virtual void OnWritable(std::function<void()> callback) = 0;
  // Called once when the client has closed or reset the connection, or a write stalled, before the
  // answer was finished. The server watches for this also while nothing is written. Dropped once
  // the answer has ended; posted when it is set after the client has left.
  virtual void OnClientGone(std::function<void()> callback) = 0;
};

using Handler = std::function<void(Request, std::shared_ptr<Exchange>)>;

class Server {
 public:
  Server(net::EventLoopGroup& loops, ServerOptions options, Handler handler);
  // REQUIRES: no handler is running any more (drain first).
  ~Server();

  // Binds and accepts. Error: address in use or not available.
  absl::Status Start();
  uint16_t port() const;

  // From now on every answer says `Connection: close`; new connections are still taken. For the
  // time between "not ready" and BeginDrain, in which clients that keep connections should leave
  // them. Thread-safe.
  void AnnounceDrain();
  // Closes the listener; running exchanges go on and answer with `Connection: close`; idle
  // connections close. Thread-safe.
  void BeginDrain();
  // Exchanges not yet answered. Thread-safe.
  int InFlight() const;
  // Open connections. Thread-safe.
  int Connections() const;

  struct Stats {  // monotone counters, thread-safe to read
    uint64_t connections_accepted, connections_refused, requests, bad_requests, timeouts,
        client_gone;
  };
  Stats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_SERVER_H_
