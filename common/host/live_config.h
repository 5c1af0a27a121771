// The configuration file while the process runs: read again when it changes or on SIGHUP. Some
// sections take effect at once, for whoever listens; a change of anything else is told of (log
// event "config_needs_restart", a gauge) and waits for the next start.
//
// Made before the modules, outlives them. Thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_LIVE_CONFIG_H_
#define SIGNALBOX_COMMON_HOST_LIVE_CONFIG_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config/watcher.h"
#include "common/obs/metrics.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::host {

class LiveConfig {
 public:
  using Snapshot = std::shared_ptr<const config::v1::Config>;
  // Reads the file, with the flags applied and everything checked.
  using Loader = std::function<absl::StatusOr<Snapshot>()>;

  LiveConfig(const config::v1::Config& started, Loader loader, obs::Metrics& metrics);

  // From now on `path` is watched; the watcher stops before this is destroyed.
  void Watch(config::FileWatcher& watcher, const std::string& path);
  // Called after each change that can be read, on the watcher's thread. What was wrong was refused
  // before, as a whole.
  void OnReload(std::function<void(const config::v1::Config&)> listener);
  // The newest that was good, for people, without secrets.
  std::string Text() const;

 private:
  void Took(const config::v1::Config& now);

  const config::v1::Config started_;
  config::Reloadable<config::v1::Config> current_;
  obs::Gauge restart_needed_;
};

// The configuration without what a running process takes over: the log level, router.policy,
// aggregator.estimator and aggregator.exacto.
config::v1::Config NeedingRestart(config::v1::Config config);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_LIVE_CONFIG_H_
