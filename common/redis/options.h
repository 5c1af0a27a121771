// How to reach one Redis instance and how long to wait for it.
//
// Values; thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_OPTIONS_H_
#define SIGNALBOX_COMMON_REDIS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "signalbox/config/v1/redis.pb.h"

namespace signalbox::redis {

// Where the server listens: a unix socket, or host and port.
struct Address {
  std::string unix_path;  // empty = TCP
  std::string host;
  uint16_t port = 0;
  std::string ToString() const;
};

// "host:port", "[::1]:6379" or "unix:/path". Error: InvalidArgument saying what is wrong.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

struct Options {
  Address address;
  std::string role = "scores";  // metric label and log field: "scores" or "money"
  std::string username;         // empty = the default user
  std::string password;         // empty = no AUTH
  int database = 0;
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
};

// Fills unset fields with the defaults above. The password is resolved by the caller: this room
// reads no secrets.
absl::StatusOr<Options> OptionsFromConfig(const config::v1::RedisInstance& config,
                                          absl::string_view role, absl::string_view password);

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_OPTIONS_H_
