// The upstream side: HTTP/1.1 over TCP or TLS with a keep-alive pool. Providers are not trusted:
// every size and wait is bounded, redirects are never followed, nothing is decompressed, a
// connection with a leftover byte is never reused.
//
// Thread-compatible: one Client per EventLoop, used on that loop only. All callbacks run on that
// loop, never inside Start. A handler may cancel its call from inside a callback.
#ifndef SIGNALBOX_COMMON_HTTP_CLIENT_H_
#define SIGNALBOX_COMMON_HTTP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/http/message.h"
#include "common/net/event_loop.h"

namespace signalbox::http {

// Scheme, host and port of a base URL, and the path that request paths are appended to.
struct Origin {
  bool tls = false;
  std::string host;  // name or address literal, lower case
  uint16_t port = 0;
  std::string base_path;  // "" or "/v1", never ends in '/'
  std::string ToString() const;
};

// "https://api.example.com/v1" -> Origin. Error: other schemes, credentials, fragment, query, empty
// host, bad port.
absl::StatusOr<Origin> ParseOrigin(absl::string_view url);

struct ClientOptions {
  std::string ca_file;  // empty = the system's trust store
  size_t max_idle_per_origin = 256;
  absl::Duration idle_lifetime = absl::Seconds(55);  // below the usual 60 s of servers
  size_t max_response_header_bytes = 64 * 1024;
  size_t max_response_header_count = 100;
  size_t max_response_body_bytes = 64 * 1024 * 1024;
  // HTTP proxy reached by CONNECT (TLS origins) or absolute-form (plain): "http://proxy:3128";
  // empty = none.
  std::string proxy;
  // False refuses origins that resolve to loopback, link-local, private or metadata addresses.
  bool allow_private_addresses = true;
};

struct ClientRequest {
  Origin origin;
  std::string method = "POST";
  std::string path;  // appended to origin.base_path; may hold a query
  Headers headers;   // Host, Content-Length, Connection and Accept-Encoding: identity are added
  std::string body;
  absl::Duration connect_timeout = absl::Seconds(5);  // name look-up + TCP + TLS
  absl::Duration head_timeout =
      absl::InfiniteDuration();  // request written to response head complete
  absl::Duration idle_timeout = absl::InfiniteDuration();  // between two reads of body bytes
};

struct ClientError {
  enum class Kind {
    kResolve,
    kConnect,
    kConnectTimeout,
    kTls,    // nothing reached the provider
    kReset,  // connection lost before the response was complete (also a clean close with a short
             // body)
    kHeadTimeout,
    kIdleTimeout,
    kProtocol,  // not HTTP/1.1, ambiguous length, bad chunk, an encoding nobody asked for
    kTooLarge,  // header or body above the limit
  };
  Kind kind;
  bool received_bytes = false;  // some byte of the response had arrived
  std::string message;          // for logs; no request data in it
};

class ClientHandler {
 public:
  virtual ~ClientHandler() = default;
  virtual void OnHead(int status, const Headers& headers) = 0;
  // The view is valid during the call.
  virtual void OnBody(absl::string_view bytes) = 0;
  // Exactly one of these ends the call, unless it is cancelled.
  virtual void OnEnd() = 0;
  virtual void OnError(const ClientError& error) = 0;
};

// A running call. Destroying it cancels: no further callback, and the connection closes at once if
// it was in use.
class ClientCall {
 public:
  virtual ~ClientCall() = default;
  // Back-pressure: stops reading from the socket until resumed. The idle timer rests while paused.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

class Client {
 public:
  Client(net::EventLoop& loop, ClientOptions options);
  ~Client();  // REQUIRES: on the loop, no call alive

  // A request sent on a reused connection that dies before any response byte is sent once more on a
  // fresh connection (the keep-alive race); the handler does not notice. `handler` must outlive the
  // call.
  std::unique_ptr<ClientCall> Start(ClientRequest request, ClientHandler* handler);

  struct Stats {
    uint64_t requests, connections_opened, connections_reused, stale_retries;
    int idle, active;
  };
  Stats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_CLIENT_H_
