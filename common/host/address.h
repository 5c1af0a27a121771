// "host:port" of something to listen on.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_ADDRESS_H_
#define SIGNALBOX_COMMON_HOST_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::host {

struct Address {
  std::string host;  // an IPv4 or IPv6 literal, without brackets
  uint16_t port = 0;
  std::string ToString() const;
  // The address under which the own machine reaches it: an unspecified host (0.0.0.0, ::) becomes
  // loopback.
  Address Reachable() const;
};

// "127.0.0.1:8080", "[::]:9000", "localhost:0". Error: anything else, with what is expected.
absl::StatusOr<Address> ParseListenAddress(absl::string_view text);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_ADDRESS_H_
