// Keeps the latest published scores in memory: told by a notice, and asking by itself now and then
// in case the notice was lost. When Redis is away or holds rubbish the last good snapshot stays,
// and its age grows.
//
//   SnapshotWatcher watcher(connection, options, keys, absl::Seconds(1), [&](store::SnapshotPtr
//   news) { … });
//
// Made and destroyed on the connection's loop or on a thread that is no loop, before the
// connection. on_change runs on the loop. latest() and age() are thread-safe.
#ifndef SIGNALBOX_COMMON_STORE_SNAPSHOT_WATCHER_H_
#define SIGNALBOX_COMMON_STORE_SNAPSHOT_WATCHER_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/redis/connection.h"
#include "common/redis/options.h"
#include "common/store/keys.h"
#include "common/store/score_store.h"

namespace signalbox::store {

class SnapshotWatcher {
 public:
  using OnChange = std::function<void(SnapshotPtr)>;
  // `options` = how to reach the same instance, for the listening connection.
  SnapshotWatcher(redis::Connection& connection, const redis::Options& options, const Keys& keys,
                  absl::Duration interval, OnChange on_change, const Clock& clock = Clock::Real());
  ~SnapshotWatcher();
  SnapshotWatcher(const SnapshotWatcher&) = delete;
  SnapshotWatcher& operator=(const SnapshotWatcher&) = delete;

  // nullptr until the first one came.
  SnapshotPtr latest() const;
  // Time since the latest was computed; infinite without one.
  absl::Duration age() const;

 private:
  class Core;
  redis::Connection& connection_;
  std::unique_ptr<Core> core_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_SNAPSHOT_WATCHER_H_
