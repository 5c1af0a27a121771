// The store of client keys with a loop of its own, its calls made to wait: a command line may
// block.
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "common/net/event_loop.h"
#include "common/redis/per_loop.h"
#include "common/store/redis_stores.h"
#include "services/signalbox/await.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox {

class BlockingKeyStore {
 public:
  // Error: InvalidArgument, the configuration names no Redis; Unavailable, it does not answer.
  static absl::StatusOr<std::unique_ptr<BlockingKeyStore>> Open(const config::v1::Config& config);

  absl::Status Put(const store::KeyRecord& record) {
    return AwaitOn<absl::Status>(loop_, [&](auto done) { store_.Put(loop_, record, done); });
  }
  absl::StatusOr<bool> Remove(const std::string& hash) {
    return AwaitOn<absl::StatusOr<bool>>(loop_,
                                         [&](auto done) { store_.Remove(loop_, hash, done); });
  }
  absl::StatusOr<std::vector<store::KeyRecord>> List() {
    return AwaitOn<absl::StatusOr<std::vector<store::KeyRecord>>>(
        loop_, [&](auto done) { store_.List(loop_, done); });
  }
  absl::StatusOr<store::KeyUsage> Usage(const std::string& hash) {
    return AwaitOn<absl::StatusOr<store::KeyUsage>>(
        loop_, [&](auto done) { store_.Usage(loop_, hash, done); });
  }

 private:
  BlockingKeyStore(const config::v1::Config& config, const redis::Options& options);

  net::EventLoop loop_;
  redis::PerLoop connections_;
  store::RedisKeyStore store_;
};

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_
