// The Redis that `signalbox serve` starts for itself when none is configured: the embedded default
// is the real thing. It listens on a unix socket in the data folder only, writes every command to
// disk, and is started again when it dies.
//
// Used on the main thread; the supervision runs on the executor given to Start.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_PRIVATE_REDIS_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_PRIVATE_REDIS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/base/executor.h"

namespace signalbox {

class PrivateRedis {
 public:
  // `folder` is created when missing.
  explicit PrivateRedis(std::string folder);
  ~PrivateRedis();  // stops the server, after its data is on disk

  // "unix:<folder>/redis.sock"
  static std::string AddressIn(const std::string& folder);

  // Starts the server, or takes over one that an earlier process left on the socket, and waits
  // until it accepts. Error: no redis-server in PATH, folder not writable, socket path too long.
  absl::Status Start(Executor& executor);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_PRIVATE_REDIS_H_
