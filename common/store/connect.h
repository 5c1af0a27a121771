// From configuration to the connections of a role.
#ifndef SIGNALBOX_COMMON_STORE_CONNECT_H_
#define SIGNALBOX_COMMON_STORE_CONNECT_H_

#include "absl/status/statusor.h"
#include "common/config/secrets.h"
#include "common/redis/options.h"
#include "common/store/keys.h"
#include "signalbox/config/v1/redis.pb.h"

namespace signalbox::store {

enum class Role {
  kScores,  // windows and scores: may vanish at any time
  kMoney,   // keys, usage, generations: must not
};

// The role's instance (money falls back to scores). Passwords are read again for every connection;
// `environment` outlives the options. Error: InvalidArgument naming the field, NotFound for a
// secret that is not there.
absl::StatusOr<redis::Options> RedisOptions(const config::v1::RedisConfig& config, Role role,
                                            const config::Environment& environment);

// The key names under the configured prefix.
Keys KeysOf(const config::v1::RedisConfig& config);

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_CONNECT_H_
