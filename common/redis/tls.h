// TLS for connections to Redis: hiredis 0.14 has none, and the connections here are our own.
// OpenSSL works on bytes in memory; whoever has the socket carries them.
//
// TlsContexts is thread-safe; a TlsStream is thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_TLS_H_
#define SIGNALBOX_COMMON_REDIS_TLS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::redis {

struct TlsFiles {
  std::string ca;           // PEM; empty = the system's authorities
  std::string certificate;  // PEM, with its chain; empty = the client shows none
  std::string key;
};

// What a handshake needs, read from the files, and read again when one of them has changed.
class TlsContexts {
 public:
  explicit TlsContexts(TlsFiles files);
  ~TlsContexts();
  class Context;  // OpenSSL's
  // Blocking, for a few milliseconds where the files have changed. Error: InvalidArgument naming
  // the file.
  absl::StatusOr<std::shared_ptr<const Context>> Get();

 private:
  class State;
  const std::unique_ptr<State> state_;
};

// One connection, as client. After an error it is spent.
class TlsStream {
 public:
  // The server's certificate must be signed by one of the authorities and bear `server_name` (a
  // name or an address).
  TlsStream(std::shared_ptr<const TlsContexts::Context> context, const std::string& server_name);
  ~TlsStream();

  // The first bytes for the peer. Error: Unavailable.
  absl::Status Start(std::string* to_peer);
  // What the peer has sent, in any pieces: appends what it says to `plain`, and bytes that must go
  // back. Error: Unavailable saying what is wrong with the certificate or the protocol, or that the
  // peer has ended the connection.
  absl::Status Receive(absl::string_view from_peer, std::string* plain, std::string* to_peer);
  // REQUIRES: established().
  absl::Status Send(absl::string_view plain, std::string* to_peer);
  bool established() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_TLS_H_
