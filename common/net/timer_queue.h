// The timers of one event loop: a binary heap ordered by due time, with cancelled entries dropped
// lazily. Adding and cancelling touch no system call; the loop keeps one kernel timer armed for the
// earliest entry.
//
// Thread-compatible. Time is a plain number of nanoseconds, so that a test chooses it.
#ifndef SIGNALBOX_COMMON_NET_TIMER_QUEUE_H_
#define SIGNALBOX_COMMON_NET_TIMER_QUEUE_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/executor.h"

namespace signalbox::net {

class TimerQueue {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  Executor::TimerId Add(int64_t due_ns, Executor::Task task);
  // False for an unknown or fired id. The task is destroyed before this returns.
  bool Cancel(Executor::TimerId id);
  // Due time of the earliest timer, kNever when there is none.
  int64_t NextDue();
  // Runs, in order of due time, what was added before this call and is due at `now_ns`.
  void RunDue(int64_t now_ns);
  // Destroys all tasks without running them.
  void Clear();
  size_t size() const { return tasks_.size(); }

 private:
  struct Entry {
    int64_t due_ns;
    Executor::TimerId id;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.id > b.id;
  }
  void DropCancelledFront();
  void PopFront();
  void Compact();

  Executor::TimerId last_id_ = 0;
  std::vector<Entry> heap_;
  absl::flat_hash_map<Executor::TimerId, Executor::Task> tasks_;
};

}  // namespace signalbox::net

#endif  // SIGNALBOX_COMMON_NET_TIMER_QUEUE_H_
