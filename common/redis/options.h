// How to reach one Redis instance and how long to wait for it.
//
// Values; thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_OPTIONS_H_
#define SIGNALBOX_COMMON_REDIS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/redis/tls.h"
#include "signalbox/config/v1/redis.pb.h"

namespace signalbox::redis {

// Where the server listens: a unix socket, or host and port.
struct Address {
  std::string unix_path;  // empty = TCP
  std::string host;
  uint16_t port = 0;
  std::string ToString() const;
};

// 1 to 65535. False: anything else.
bool ParsePort(absl::string_view text, uint16_t* port);

// "host:port", "[::1]:6379" or "unix:/path". Error: InvalidArgument saying what is wrong.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Asked for every new connection, so that a rotated password needs no restart; blocking for as long
// as reading a small file takes. Unset = no AUTH.
using PasswordSource = std::function<absl::StatusOr<std::string>()>;

// Unset contexts = plain TCP.
struct Tls {
  std::shared_ptr<TlsContexts> contexts;
  std::string server_name;  // empty = the host connected to
};

struct Login {
  std::string username;  // empty = the default user
  PasswordSource password;
};

// Who knows which server is the primary. Empty addresses = nobody: `Options::address` is.
struct Sentinels {
  std::string master_name;
  std::vector<Address> addresses;
  Login login;
  Tls tls;
};

struct Options {
  Address address;
  std::string role = "scores";  // metric label and log field: "scores" or "money"
  Login login;
  Tls tls;
  Sentinels sentinels;
  int database = 0;
  // A write counts once so many replicas hold it (Connection::AwaitReplicas).
  int replicas = 0;
  absl::Duration command_timeout = absl::Milliseconds(50);
  absl::Duration connect_timeout = absl::Seconds(1);
  size_t max_pending = 10'000;          // commands waiting for an answer
  size_t max_pending_bytes = 64 << 20;  // of commands not yet taken by the socket
  size_t max_reply_bytes = 64 << 20;
  int failures_to_open = 5;  // in a row
  absl::Duration backoff_base = absl::Milliseconds(20);
  absl::Duration backoff_cap = absl::Seconds(1);
  // A connection that lived so long counts as good: the next loss starts the back-off anew.
  absl::Duration stable_after = absl::Seconds(2);

  // For logs: the address, or the primary's name and the sentinels.
  std::string Where() const;
};

// The secrets of an instance, which this room does not read itself.
struct Passwords {
  PasswordSource server;
  PasswordSource sentinels;
};

// Fills unset fields with the defaults above. Error: InvalidArgument naming the field.
absl::StatusOr<Options> OptionsFromConfig(const config::v1::RedisInstance& config,
                                          absl::string_view role, Passwords passwords = {});

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_OPTIONS_H_
