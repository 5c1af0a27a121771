// The published scores in Redis: one blob, its version, and a notice to those who listen.
//
// Only on the connection's loop.
#ifndef SIGNALBOX_COMMON_STORE_SCORE_STORE_H_
#define SIGNALBOX_COMMON_STORE_SCORE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/redis/connection.h"
#include "common/store/keys.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::store {

using SnapshotPtr = std::shared_ptr<const metrics::v1::ScoreSnapshot>;

class ScoreStore {
 public:
  // The connection outlives the store.
  ScoreStore(redis::Connection& connection, Keys keys);

  // Stores the snapshot under its version and notifies, in one script, if `lease` (Lease::value())
  // still holds. Error: FailedPrecondition = the lease is another's; Aborted = the store has this
  // version or a newer one.
  void Publish(const std::string& lease, const metrics::v1::ScoreSnapshot& snapshot,
               std::function<void(absl::Status)> done);

  // 0 = nothing published.
  void ReadVersion(std::function<void(absl::StatusOr<uint64_t>)> done);

  struct Stored {
    SnapshotPtr snapshot;
    absl::Duration age;  // by the store's clock
  };
  // nullopt = nothing published. Error: DataLoss = what is stored is no snapshot.
  void Read(std::function<void(absl::StatusOr<std::optional<Stored>>)> done);

 private:
  redis::Connection& connection_;
  const Keys keys_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_SCORE_STORE_H_
