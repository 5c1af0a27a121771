// Where code runs: an event loop seen as "run this soon, on your thread" and "run this later".
// Request logic takes an Executor, so it neither knows Asio nor creates threads, and a test drives
// it by hand.
//
// Post is thread-safe. RunAfter, Cancel and everything that runs on the executor belong to its one
// thread.
#ifndef SIGNALBOX_COMMON_BASE_EXECUTOR_H_
#define SIGNALBOX_COMMON_BASE_EXECUTOR_H_

#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace signalbox {

class Executor {
 public:
  using Task = std::function<void()>;
  using TimerId = uint64_t;  // 0 is never a timer

  virtual ~Executor() = default;
  // Runs the task on the executor's thread, after the caller returns. Thread-safe.
  virtual void Post(Task task) = 0;
  // Runs the task inline when already on the executor's thread, else posts it. Thread-safe.
  virtual void Dispatch(Task task) = 0;
  // REQUIRES: on the executor's thread.
  virtual TimerId RunAfter(absl::Duration delay, Task task) = 0;
  // The task will not run after this returns. An unknown or fired id is ignored. REQUIRES: on the
  // executor's thread.
  virtual void Cancel(TimerId timer) = 0;
  virtual bool IsCurrent() const = 0;
};

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_EXECUTOR_H_
