#include "common/store/connect.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace signalbox::store {

absl::StatusOr<redis::Options> RedisOptions(const config::v1::RedisConfig& config, Role role,
                                            const config::Environment& environment) {
  const bool own_money = role == Role::kMoney && !config.money().address().empty();
  const config::v1::RedisInstance& instance = own_money ? config.money() : config.scores();
  const std::string field = own_money ? "redis.money" : "redis.scores";
  if (instance.address().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".address: not set; expected \"host:port\" or \"unix:/path\""));
  }
  std::string password;
  if (instance.has_password()) {
    ASSIGN_OR_RETURN(const config::Secret secret,
                     config::ResolveSecret(instance.password(), environment));
    password = secret.Reveal();
  }
  return redis::OptionsFromConfig(instance, role == Role::kMoney ? "money" : "scores", password);
}

Keys KeysOf(const config::v1::RedisConfig& config) {
  return config.prefix().empty() ? Keys() : Keys(config.prefix());
}

}  // namespace signalbox::store
