// The store of client keys with a loop of its own, its calls made to wait: a command line may
// block.
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/net/event_loop.h"
#include "common/redis/per_loop.h"
#include "common/store/redis_stores.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox {

class BlockingKeyStore {
 public:
  // Error: InvalidArgument, the configuration names no Redis; Unavailable, it does not answer.
  static absl::StatusOr<std::unique_ptr<BlockingKeyStore>> Open(const config::v1::Config& config);

  absl::Status Put(const store::KeyRecord& record) {
    return Wait<absl::Status>([&](auto done) { store_.Put(loop_, record, done); });
  }
  absl::StatusOr<bool> Remove(const std::string& hash) {
    return Wait<absl::StatusOr<bool>>([&](auto done) { store_.Remove(loop_, hash, done); });
  }
  absl::StatusOr<std::vector<store::KeyRecord>> List() {
    return Wait<absl::StatusOr<std::vector<store::KeyRecord>>>(
        [&](auto done) { store_.List(loop_, done); });
  }
  absl::StatusOr<store::KeyUsage> Usage(const std::string& hash) {
    return Wait<absl::StatusOr<store::KeyUsage>>(
        [&](auto done) { store_.Usage(loop_, hash, done); });
  }

 private:
  BlockingKeyStore(const config::v1::Config& config, const redis::Options& options);

  template <typename Result>
  Result Wait(const std::function<void(std::function<void(Result)>)>& call) {
    std::promise<Result> promise;
    loop_.Post([&] { call([&promise](Result result) { promise.set_value(std::move(result)); }); });
    return promise.get_future().get();
  }

  net::EventLoop loop_;
  redis::PerLoop connections_;
  store::RedisKeyStore store_;
};

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BLOCKING_KEY_STORE_H_
