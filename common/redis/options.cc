#include "common/redis/options.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace signalbox::redis {
namespace {

constexpr size_t kMaxUnixPath = 107;  // sun_path without its terminating zero

absl::Status Bad(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("redis address \"", text, "\": ", what));
}

absl::Duration ToDuration(const google::protobuf::Duration& value) {
  return absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
}

}  // namespace

std::string Address::ToString() const {
  if (!unix_path.empty()) return absl::StrCat("unix:", unix_path);
  const bool bracket = absl::StrContains(host, ':');
  return absl::StrCat(bracket ? "[" : "", host, bracket ? "]" : "", ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  Address address;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    if (rest.empty() || rest[0] != '/') return Bad(text, "the path must be absolute");
    if (rest.size() > kMaxUnixPath) return Bad(text, "the path is longer than 107 bytes");
    address.unix_path = std::string(rest);
    return address;
  }
  const size_t colon = rest.rfind(':');
  if (colon == absl::string_view::npos) return Bad(text, "must be host:port or unix:/path");
  absl::string_view host = rest.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return Bad(text, "an IPv6 address needs brackets");
  }
  if (host.empty()) return Bad(text, "the host is missing");
  uint32_t port = 0;
  if (!absl::SimpleAtoi(rest.substr(colon + 1), &port) || port == 0 || port > 65535) {
    return Bad(text, "the port must be 1 to 65535");
  }
  address.host = std::string(host);
  address.port = static_cast<uint16_t>(port);
  return address;
}

absl::StatusOr<Options> OptionsFromConfig(const config::v1::RedisInstance& config,
                                          absl::string_view role, absl::string_view password) {
  Options options;
  ASSIGN_OR_RETURN(options.address, ParseAddress(config.address()));
  options.role = std::string(role);
  options.username = config.username();
  options.password = std::string(password);
  options.database = config.database();
  if (config.has_command_timeout()) options.command_timeout = ToDuration(config.command_timeout());
  if (config.has_connect_timeout()) options.connect_timeout = ToDuration(config.connect_timeout());
  if (config.max_pending() > 0) options.max_pending = config.max_pending();
  if (options.database < 0)
    return absl::InvalidArgumentError("redis database must not be negative");
  if (options.command_timeout <= absl::ZeroDuration() ||
      options.connect_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("redis timeouts must be positive");
  }
  return options;
}

}  // namespace signalbox::redis
