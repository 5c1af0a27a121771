// An Executor whose time and steps the test chooses: nothing runs until the test says so.
//
//   FakeClock clock;
//   testing::ManualExecutor executor(clock);
//   thing.Start(executor);                  // posts, sets timers
//   executor.RunUntilIdle();                // what was posted, and timers already due
//   executor.Advance(absl::Seconds(30));    // moves the clock from due time to due time, running
//   each timer at its own
//
// Post is thread-safe, so that code under test may come from other threads; everything else belongs
// to the test's thread. IsCurrent is true on the thread that made the executor.
#ifndef SIGNALBOX_TESTS_SUPPORT_MANUAL_EXECUTOR_H_
#define SIGNALBOX_TESTS_SUPPORT_MANUAL_EXECUTOR_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"

namespace signalbox::testing {

class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(FakeClock& clock) : clock_(clock) {}

  void Post(Task task) override {
    absl::MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
  }

  void Dispatch(Task task) override {
    if (IsCurrent()) {
      task();
    } else {
      Post(std::move(task));
    }
  }

  TimerId RunAfter(absl::Duration delay, Task task) override {
    const TimerId id = ++last_timer_;
    // The clock counts whole nanoseconds; a due time between two of them would never be reached.
    const absl::Duration due =
        clock_.Monotonic() +
        absl::Ceil(std::max(delay, absl::ZeroDuration()), absl::Nanoseconds(1));
    timers_.emplace(std::make_pair(due, id), std::move(task));
    return id;
  }

  void Cancel(TimerId timer) override {
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->first.second != timer) continue;
      timers_.erase(it);
      return;
    }
  }

  bool IsCurrent() const override { return std::this_thread::get_id() == owner_; }

  // Runs posted tasks and due timers until none is left, without moving the clock.
  void RunUntilIdle() {
    while (RunOnePosted() || RunOneTimer(clock_.Monotonic())) {
    }
  }

  // Moves the clock forward; each timer that falls due on the way runs at its due time, with what
  // it posts.
  void Advance(absl::Duration by) {
    const absl::Duration end = clock_.Monotonic() + by;
    RunUntilIdle();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      clock_.Advance(timers_.begin()->first.first - clock_.Monotonic());
      RunUntilIdle();
    }
    clock_.Advance(end - clock_.Monotonic());
    RunUntilIdle();
  }

  size_t posted() const {
    absl::MutexLock lock(&mutex_);
    return posted_.size();
  }
  size_t timers() const { return timers_.size(); }
  // Time until the earliest timer; infinite when there is none.
  absl::Duration UntilNextTimer() const {
    if (timers_.empty()) return absl::InfiniteDuration();
    return timers_.begin()->first.first - clock_.Monotonic();
  }

 private:
  bool RunOnePosted() {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      if (posted_.empty()) return false;
      task = std::move(posted_.front());
      posted_.pop_front();
    }
    task();
    return true;
  }

  bool RunOneTimer(absl::Duration now) {
    if (timers_.empty() || timers_.begin()->first.first > now) return false;
    Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
    return true;
  }

  FakeClock& clock_;
  const std::thread::id owner_ = std::this_thread::get_id();
  mutable absl::Mutex mutex_;
  std::deque<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<absl::Duration, TimerId>, Task> timers_;
  TimerId last_timer_ = 0;
};

}  // namespace signalbox::testing

#endif  // SIGNALBOX_TESTS_SUPPORT_MANUAL_EXECUTOR_H_
