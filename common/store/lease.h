// A lease in Redis: at most one owner at a time, lost by itself when its owner stops renewing. Each
// time it changes hands the fencing number grows; writes that need the lease carry its value() and
// check it in their own script, so an owner that was asleep too long cannot write
// (ScoreStore::Publish).
//
// Only on the connection's loop.
#ifndef SIGNALBOX_COMMON_STORE_LEASE_H_
#define SIGNALBOX_COMMON_STORE_LEASE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/redis/connection.h"
#include "common/store/keys.h"

namespace signalbox::store {

class Lease {
 public:
  // The connection and the clock outlive the lease. `owner` is unique per process start and holds
  // no ':'.
  Lease(redis::Connection& connection, const Keys& keys, std::string owner, absl::Duration ttl,
        const Clock& clock);
  ~Lease();

  // Takes the lease if it is free, renews it if it is ours, and says whether it is held then. To be
  // called every ttl / 3.
  void TakeOrRenew(std::function<void(bool held)> done);
  // Held for certain: counted from before the last renewal was sent.
  bool held() const;
  // "owner:fence" while held.
  const std::string& value() const { return value_; }
  // Gives it back so that another need not wait for its end.
  void Release(std::function<void()> done);

 private:
  redis::Connection& connection_;
  const std::string key_;
  const std::string fence_key_;
  const std::string owner_;
  const absl::Duration ttl_;
  const Clock& clock_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::string value_;
  absl::Duration held_until_ = -absl::InfiniteDuration();
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_LEASE_H_
