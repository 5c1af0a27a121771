#include "common/host/live_config.h"

#include <google/protobuf/util/message_differencer.h>

#include <utility>

#include "common/config/redact.h"
#include "common/obs/log.h"

namespace signalbox::host {

config::v1::Config NeedingRestart(config::v1::Config config) {
  config.mutable_host()->clear_log_level();
  config.mutable_router()->clear_policy();
  config.mutable_aggregator()->clear_estimator();
  config.mutable_aggregator()->clear_exacto();
  return config;
}

LiveConfig::LiveConfig(const config::v1::Config& started, Loader loader, obs::Metrics& metrics)
    : started_(NeedingRestart(started)),
      current_("config", std::move(loader), &metrics),
      restart_needed_(metrics
                          .Gauge("signalbox_config_restart_needed",
                                 "1 = the configuration file has changes that take effect with the "
                                 "next start only.")
                          .WithNone()) {
  current_.OnReload([this](const Snapshot& now) { Took(*now); });
  current_.Set(std::make_shared<const config::v1::Config>(started));
}

void LiveConfig::Watch(config::FileWatcher& watcher, const std::string& path) {
  watcher.Watch({path}, [this] { (void)current_.Reload(); });
}

void LiveConfig::OnReload(std::function<void(const config::v1::Config&)> listener) {
  current_.OnReload([listener = std::move(listener)](const Snapshot& now) { listener(*now); });
}

std::string LiveConfig::Text() const { return config::ToRedactedYaml(*current_.Get()); }

void LiveConfig::Took(const config::v1::Config& now) {
  obs::SetLogLevel(obs::ParseLevel(now.host().log_level()).value_or(obs::kInfo));
  const bool differs =
      !google::protobuf::util::MessageDifferencer::Equals(started_, NeedingRestart(now));
  restart_needed_.Set(differs ? 1 : 0);
  if (differs) obs::Log(obs::kWarning, "config_needs_restart");
}

}  // namespace signalbox::host
