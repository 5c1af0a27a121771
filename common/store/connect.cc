#include "common/store/connect.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace signalbox::store {
namespace {

bool IsSet(const config::v1::RedisInstance& instance) {
  return !instance.address().empty() || instance.has_sentinel();
}

// A secret that is not there is found now and not at the first connection.
absl::StatusOr<redis::PasswordSource> PasswordOf(const config::v1::SecretRef& reference,
                                                 const config::Environment& environment) {
  RETURN_IF_ERROR(config::ResolveSecret(reference, environment).status());
  return [reference, &environment]() -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const config::Secret secret, config::ResolveSecret(reference, environment));
    return secret.Reveal();
  };
}

}  // namespace

absl::StatusOr<redis::Options> RedisOptions(const config::v1::RedisConfig& config, Role role,
                                            const config::Environment& environment) {
  const bool own_money = role == Role::kMoney && IsSet(config.money());
  const config::v1::RedisInstance& instance = own_money ? config.money() : config.scores();
  const std::string field = own_money ? "redis.money" : "redis.scores";
  if (!IsSet(instance)) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ".address: not set; expected \"host:port\" or \"unix:/path\", or sentinel"));
  }
  redis::Passwords passwords;
  if (instance.has_password()) {
    ASSIGN_OR_RETURN(passwords.server, PasswordOf(instance.password(), environment));
  }
  if (instance.sentinel().has_password()) {
    ASSIGN_OR_RETURN(passwords.sentinels, PasswordOf(instance.sentinel().password(), environment));
  }
  absl::StatusOr<redis::Options> options = redis::OptionsFromConfig(
      instance, role == Role::kMoney ? "money" : "scores", std::move(passwords));
  if (options.ok()) return options;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", options.status().message()));
}

Keys KeysOf(const config::v1::RedisConfig& config) {
  return config.prefix().empty() ? Keys() : Keys(config.prefix());
}

}  // namespace signalbox::store
