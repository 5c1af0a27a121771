#include "common/redis/options.h"

#include <utility>

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

// Files that cannot be used are found now and not at the first connection.
absl::StatusOr<Tls> TlsFrom(const config::v1::RedisTls& config) {
  if (config.cert_file().empty() != config.key_file().empty())
    return absl::InvalidArgumentError("redis tls: cert_file and key_file go together");
  Tls tls;
  tls.contexts = std::make_shared<TlsContexts>(
      TlsFiles{config.ca_file(), config.cert_file(), config.key_file()});
  tls.server_name = config.server_name();
  RETURN_IF_ERROR(tls.contexts->Get().status());
  return tls;
}

absl::StatusOr<Sentinels> SentinelsFrom(const config::v1::RedisSentinel& config,
                                        PasswordSource password) {
  Sentinels sentinels;
  sentinels.master_name = config.master_name();
  if (config.master_name().empty())
    return absl::InvalidArgumentError("redis sentinel: master_name is not set");
  if (config.addresses().empty()) return absl::InvalidArgumentError("redis sentinel: no addresses");
  for (const std::string& text : config.addresses()) {
    ASSIGN_OR_RETURN(Address address, ParseAddress(text));
    sentinels.addresses.push_back(std::move(address));
  }
  sentinels.login = {config.username(), std::move(password)};
  if (config.has_tls()) {
    ASSIGN_OR_RETURN(sentinels.tls, TlsFrom(config.tls()));
  }
  return sentinels;
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

bool ParsePort(absl::string_view text, uint16_t* port) {
  uint32_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number == 0 || number > 65535) return false;
  *port = static_cast<uint16_t>(number);
  return true;
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
  if (!ParsePort(rest.substr(colon + 1), &address.port))
    return Bad(text, "the port must be 1 to 65535");
  address.host = std::string(host);
  return address;
}

std::string Options::Where() const {
  if (sentinels.addresses.empty()) return address.ToString();
  std::string text = absl::StrCat("primary ", sentinels.master_name, " of sentinels");
  for (const Address& sentinel : sentinels.addresses)
    absl::StrAppend(&text, " ", sentinel.ToString());
  return text;
}

absl::StatusOr<Options> OptionsFromConfig(const config::v1::RedisInstance& config,
                                          absl::string_view role, Passwords passwords) {
  Options options;
  options.role = std::string(role);
  options.login = {config.username(), std::move(passwords.server)};
  options.database = config.database();
  options.replicas = config.replicas();
  if (config.has_sentinel()) {
    if (!config.address().empty())
      return absl::InvalidArgumentError("redis: both address and sentinel are set");
    ASSIGN_OR_RETURN(options.sentinels,
                     SentinelsFrom(config.sentinel(), std::move(passwords.sentinels)));
  } else {
    ASSIGN_OR_RETURN(options.address, ParseAddress(config.address()));
  }
  if (config.has_tls()) {
    ASSIGN_OR_RETURN(options.tls, TlsFrom(config.tls()));
  }
  if (config.has_command_timeout()) options.command_timeout = ToDuration(config.command_timeout());
  if (config.has_connect_timeout()) options.connect_timeout = ToDuration(config.connect_timeout());
  if (config.max_pending() > 0) options.max_pending = config.max_pending();
  if (options.database < 0 || options.replicas < 0)
    return absl::InvalidArgumentError("redis database and replicas must not be negative");
  if (options.command_timeout <= absl::ZeroDuration() ||
      options.connect_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("redis timeouts must be positive");
  }
  return options;
}

}  // namespace signalbox::redis
