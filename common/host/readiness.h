// When a process may be sent work: everything has started, every latch is released, and it does not
// drain.
//
//   host::ReadinessLatch latch = env.readiness.AddLatch("catalogue");
//   …                                   // once the first catalogue is loaded:
//   latch.Release();
//
// Thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_READINESS_H_
#define SIGNALBOX_COMMON_HOST_READINESS_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace signalbox::host {

enum class HostState { kStarting, kServing, kDraining, kStopped };
absl::string_view HostStateName(HostState state);

class Readiness;

// Holds readiness back until released. Releasing twice does no harm; dropping an unreleased latch
// releases nothing.
class ReadinessLatch {
 public:
  ReadinessLatch() = default;
  void Release();

 private:
  friend class Readiness;
  ReadinessLatch(Readiness* readiness, std::string name)
      : readiness_(readiness), name_(std::move(name)) {}

  Readiness* readiness_ = nullptr;
  std::string name_;
};

class Readiness {
 public:
  // REQUIRES: the name is not in use; the Readiness outlives the latch's Release.
  ReadinessLatch AddLatch(std::string name);

  bool ready() const;
  HostState state() const;
  // What readiness waits for: names of latches, "starting", "draining", "stopped". Empty = ready.
  std::vector<std::string> waiting() const;

  // The host's. `listener` is called with every change of ready(), on the thread that changed it.
  void SetState(HostState state);
  void OnChange(std::function<void(bool ready)> listener);

 private:
  friend class ReadinessLatch;
  void Release(const std::string& name);
  bool ReadyLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void NotifyIfChanged();

  absl::Mutex notify_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::function<void(bool)> listener_ ABSL_GUARDED_BY(notify_mutex_);
  bool notified_ ABSL_GUARDED_BY(notify_mutex_) = false;
  mutable absl::Mutex mutex_;
  HostState state_ ABSL_GUARDED_BY(mutex_) = HostState::kStarting;
  std::set<std::string> latches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_READINESS_H_
