#include "services/signalbox/blocking_key_store.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/config/secrets.h"
#include "common/store/connect.h"

namespace signalbox {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kCommandTimeout = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<BlockingKeyStore>> BlockingKeyStore::Open(
    const config::v1::Config& config) {
  ASSIGN_OR_RETURN(redis::Options options, store::RedisOptions(config.redis(), store::Role::kMoney,
                                                               config::Environment::Process()));
  options.command_timeout = kCommandTimeout;
  auto opened = std::unique_ptr<BlockingKeyStore>(new BlockingKeyStore(config, options));
  const absl::Time end = absl::Now() + kPatience;
  while (!opened->connections_.ready()) {
    if (absl::Now() > end) {
      return absl::UnavailableError(absl::StrCat("Redis does not answer at ", options.Where(),
                                                 ": is Signalbox (or its Redis) running?"));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return opened;
}

BlockingKeyStore::BlockingKeyStore(const config::v1::Config& config, const redis::Options& options)
    : loop_("keys"),
      connections_(loop_, options),
      store_(connections_, store::KeysOf(config.redis())) {}

}  // namespace signalbox
