// What a process offers its modules. Seen only where a module is put together
// (services/<x>/module.cc): below that, every constructor names the few things it needs.
#ifndef SIGNALBOX_COMMON_HOST_ENV_H_
#define SIGNALBOX_COMMON_HOST_ENV_H_

#include <string>

#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/config/secrets.h"
#include "common/config/watcher.h"
#include "common/host/live_config.h"
#include "common/host/readiness.h"
#include "common/obs/metrics.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::rpc {
class Channels;
}  // namespace signalbox::rpc

namespace signalbox::host {

// All references live longer than the modules.
struct Env {
  const config::v1::Config& config;  // as of the start
  // Folder of the configuration file, for the relative paths in it; "." without a file.
  std::string config_folder;
  const Clock& clock;
  const config::Environment& environment;
  obs::Metrics& metrics;
  Readiness& readiness;
  // Housekeeping that is not urgent (it shares its thread with the admin port).
  Executor& background;
  // Files looked at every few seconds on `background`, and on SIGHUP.
  config::FileWatcher& watcher;
  // Changes of the configuration file while running.
  LiveConfig& live_config;
  // Released by the host on the main thread after all modules are gone.
  rpc::Channels& channels;

  // A path of the configuration as one that can be opened.
  std::string Path(const std::string& path) const {
    return path.empty() || path[0] == '/' ? path : config_folder + "/" + path;
  }
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_ENV_H_
