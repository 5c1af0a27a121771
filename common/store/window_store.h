// The windows in Redis: every outcome counted once in a 10-second, a 1-minute and a 1-hour bucket
// of its endpoint.
//
// Exactly once is kept in two steps, each one atomic script on one cluster slot and each safe to
// repeat when its result is unknown:
//   1. Claim: a reporter's batch belongs to the first owner that claims it. Claiming again gives
//   the owner the same
//      answer. A batch delivered to two replicas is thus counted by one of them.
//   2. Apply: an owner numbers what it writes to an endpoint 1, 2, 3, …; a number not above the
//   last one applied is
//      ignored. One number is under way per endpoint and owner, and is repeated unchanged until its
//      result is known.
// A process that dies between the two loses the batches it had claimed; nothing is ever counted
// twice. A flush that touches many endpoints may be applied for some and not yet for others: each
// endpoint is repeated by itself.
//
// Bucket time is the store's clock (Redis TIME), never a replica's.
//
// Only on the connection's loop. Every failure comes back as a Status; Unavailable and
// DeadlineExceeded = unknown result.
#ifndef SIGNALBOX_COMMON_STORE_WINDOW_STORE_H_
#define SIGNALBOX_COMMON_STORE_WINDOW_STORE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/redis/connection.h"
#include "common/store/keys.h"
#include "common/store/window_bucket.h"
#include "common/store/window_counts.h"

namespace signalbox::store {

class WindowStore {
 public:
  // The connection outlives the store.
  WindowStore(redis::Connection& connection, Keys keys);

  struct Claims {
    std::vector<bool> owned;  // as asked: true = this owner counts the batch
    absl::Time now;           // store clock
  };
  // REQUIRES: all sequences in the same block (sequence / kClaimBlock).
  void Claim(const std::string& reporter, const std::string& owner,
             const std::vector<uint64_t>& sequences,
             std::function<void(absl::StatusOr<Claims>)> done);
  // Small enough that Redis keeps a block in its compact encoding.
  static constexpr uint64_t kClaimBlock = 100;

  // Adds the delta unless `number` was applied before.
  void Apply(const std::string& endpoint, const std::string& owner, uint64_t number,
             const WindowDelta& delta, std::function<void(absl::Status)> done);

  // Notes that the endpoints have news; `late` = in buckets older than the readers look at by
  // default.
  void Touch(const std::vector<std::string>& endpoints, bool late,
             std::function<void(absl::Status)> done);

  // Endpoints touched at `since` or later, at most the last 32 days.
  void ReadNews(absl::Time since, std::function<void(absl::StatusOr<WindowNews>)> done);

  // The buckets in the order asked for; one that does not exist is empty. REQUIRES: at least one.
  void Read(const std::string& endpoint, const std::vector<BucketId>& buckets,
            std::function<void(absl::StatusOr<std::vector<WindowCounts>>)> done);

 private:
  redis::Connection& connection_;
  const Keys keys_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_WINDOW_STORE_H_
