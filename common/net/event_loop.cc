#include "common/net/event_loop.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "common/net/event_loop_asio.h"
#include "common/net/timer_queue.h"

namespace signalbox::net {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

thread_local EventLoop* current_loop = nullptr;

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now().time_since_epoch())
      .count();
}

// Saturates: an infinite delay is a timer that never fires.
int64_t DueNanos(absl::Duration delay) {
  if (delay >= absl::Hours(24 * 365)) return TimerQueue::kNever;
  return NowNanos() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(delay));
}

}  // namespace

class EventLoop::State {
 public:
  // One thread runs the io_context; the hint lets posts from that thread skip lock and wake-up.
  State() : io(std::make_unique<asio::io_context>(1)), work(asio::make_work_guard(*io)) {
    alarm.emplace(*io);
  }

  // What the pending tasks own is destroyed as if on the loop: it may cancel timers and post (which
  // drops the task).
  void Teardown() {
    timers.Clear();
    alarm.reset();
    work.reset();
    io.reset();
    timers.Clear();
  }

  void ArmAlarm() {
    const int64_t next = timers.NextDue();
    if (next >= armed_for) return;
    armed_for = next;
    alarm->expires_at(SteadyClock::time_point(std::chrono::nanoseconds(next)));
    alarm->async_wait([this](const boost::system::error_code& error) {
      if (!error) OnAlarm();  // an error means: re-armed for an earlier time
    });
  }

  void OnAlarm() {
    armed_for = TimerQueue::kNever;
    timers.RunDue(NowNanos());
    ArmAlarm();
  }

  std::unique_ptr<asio::io_context> io;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::optional<asio::steady_timer> alarm;
  TimerQueue timers;
  int64_t armed_for = TimerQueue::kNever;
  std::atomic<bool> stopped{false};
  std::thread thread;
};

EventLoop::EventLoop(const std::string& name) : state_(std::make_unique<State>()) {
  state_->thread = std::thread([this, name] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    current_loop = this;
    state_->io->run();
  });
}

EventLoop::~EventLoop() {
  state_->stopped.store(true);
  state_->io->stop();
  state_->thread.join();
  EventLoop* const outer = std::exchange(current_loop, this);
  state_->Teardown();
  current_loop = outer;
}

void EventLoop::Post(Task task) {
  if (state_->stopped.load(std::memory_order_relaxed)) return;
  asio::post(*state_->io, std::move(task));
}

void EventLoop::Dispatch(Task task) {
  if (IsCurrent()) {
    task();
  } else {
    Post(std::move(task));
  }
}

Executor::TimerId EventLoop::RunAfter(absl::Duration delay, Task task) {
  const TimerId id = state_->timers.Add(DueNanos(delay), std::move(task));
  if (!state_->stopped.load(std::memory_order_relaxed)) state_->ArmAlarm();
  return id;
}

void EventLoop::Cancel(TimerId timer) { state_->timers.Cancel(timer); }

bool EventLoop::IsCurrent() const { return current_loop == this; }

// Two hops: what runs on the loop posts to a queue of its own that joins the common one only when
// the running task ends, so the end of a task alone does not mean that what it posted comes before
// the next task from outside.
void EventLoop::RunAndWait(Task task) {
  const auto done = std::make_shared<std::promise<void>>();
  std::future<void> finished = done->get_future();
  Post([this, &task, done] {
    task();
    Post([done] { done->set_value(); });
  });
  finished.wait();
}

asio::io_context& IoContextOf(EventLoop& loop) { return *loop.state().io; }

EventLoopGroup::EventLoopGroup(const std::string& name, int size) {
  const int count = size > 0 ? size : std::max(1u, std::thread::hardware_concurrency());
  for (int i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<EventLoop>(name + "-" + std::to_string(i)));
  }
}

EventLoop& EventLoopGroup::Next() {
  return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

EventLoop* EventLoopGroup::Current() { return current_loop; }

}  // namespace signalbox::net
