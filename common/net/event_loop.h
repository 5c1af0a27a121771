// One thread running one Asio io_context, offered to the rest of the tree as an Executor. HTTP
// sessions, upstream connections and Redis connections of one request live on one loop, so that no
// lock and no hand-over is needed.
//
// Post and Dispatch are thread-safe; tasks of one posting thread keep their order, tasks of
// different threads have none. Timers belong to the loop's own thread. Only common/net, common/http
// and common/redis include event_loop_asio.h, which opens the io_context.
#ifndef SIGNALBOX_COMMON_NET_EVENT_LOOP_H_
#define SIGNALBOX_COMMON_NET_EVENT_LOOP_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"

namespace signalbox::net {

class EventLoop final : public Executor {
 public:
  // Starts the thread. `name` (at most 15 characters) is the thread's name in the process list.
  explicit EventLoop(const std::string& name);
  // Stops and joins. Pending tasks and timers are destroyed without running.
  ~EventLoop() override;

  void Post(Task task) override;
  void Dispatch(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool IsCurrent() const override;

  // Runs the task on the loop and waits for it and for what it has posted itself. REQUIRES: not on
  // the loop's thread.
  void RunAndWait(Task task);

  class State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// A fixed set of loops; Next() hands them out in turn.
class EventLoopGroup {
 public:
  // size 0 = one per core.
  EventLoopGroup(const std::string& name, int size);
  EventLoop& Next();
  EventLoop& at(size_t i) { return *loops_[i]; }
  size_t size() const { return loops_.size(); }
  // The loop of the current thread, or nullptr when called from a thread that is none of ours.
  static EventLoop* Current();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::atomic<size_t> next_{0};
};

}  // namespace signalbox::net

#endif  // SIGNALBOX_COMMON_NET_EVENT_LOOP_H_
