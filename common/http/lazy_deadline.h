// The one deadline of a connection. Moving it later, or clearing it, is a plain store: the timer of
// the loop stays where it is and looks again when it fires. A busy connection therefore arms one
// timer per idle period, not one per request.
//
// Lives and dies on the loop's thread.
#ifndef SIGNALBOX_COMMON_HTTP_LAZY_DEADLINE_H_
#define SIGNALBOX_COMMON_HTTP_LAZY_DEADLINE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/time/time.h"
#include "common/net/event_loop.h"

namespace signalbox::http {

class LazyDeadline {
 public:
  // `expired` may destroy this object.
  LazyDeadline(net::EventLoop& loop, std::function<void()> expired)
      : loop_(loop), expired_(std::move(expired)) {}
  ~LazyDeadline() { loop_.Cancel(timer_); }
  LazyDeadline(const LazyDeadline&) = delete;
  LazyDeadline& operator=(const LazyDeadline&) = delete;

  void Set(absl::Duration from_now) {
    if (from_now >= absl::Hours(24 * 365)) return Clear();
    due_ns_ = NowNanos() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(from_now));
    if (due_ns_ < armed_ns_) Arm();
  }
  void Clear() { due_ns_ = kNever; }
  bool is_set() const { return due_ns_ != kNever; }

  // Nanoseconds of a clock that never goes back.
  static int64_t NowNanos() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  void Arm() {
    loop_.Cancel(timer_);
    armed_ns_ = due_ns_;
    timer_ = loop_.RunAfter(absl::Nanoseconds(due_ns_ - NowNanos()), [this] { OnTimer(); });
  }

  void OnTimer() {
    timer_ = 0;
    armed_ns_ = kNever;
    if (due_ns_ == kNever) return;
    if (NowNanos() < due_ns_) return Arm();
    due_ns_ = kNever;
    expired_();  // last: this object may be gone afterwards
  }

  net::EventLoop& loop_;
  const std::function<void()> expired_;
  Executor::TimerId timer_ = 0;
  int64_t due_ns_ = kNever;
  int64_t armed_ns_ = kNever;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_LAZY_DEADLINE_H_
