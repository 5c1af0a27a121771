// Circuit breaker: after several failures in a row, or a connection that cannot be made, commands
// are refused at once instead of waiting for their deadline one by one. While open, a probe now and
// then finds out whether to close.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_BREAKER_H_
#define SIGNALBOX_COMMON_REDIS_BREAKER_H_

namespace signalbox::redis {

class Breaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };
  explicit Breaker(int failures_to_open) : failures_to_open_(failures_to_open) {}

  State state() const { return state_; }
  bool AllowsCommands() const { return state_ == State::kClosed; }

  // A command was answered in time, or the probe was: closes. Returns true when the breaker was not
  // closed before.
  bool OnSuccess() {
    failures_ = 0;
    return Change(State::kClosed);
  }
  // A command was not answered in time. Returns true when this one opened the breaker.
  bool OnFailure() {
    if (state_ == State::kClosed && ++failures_ < failures_to_open_) return false;
    return Open();
  }
  // The connection could not be made, or the probe failed. Returns true when the breaker was closed
  // before.
  bool Open() {
    failures_ = 0;
    const bool was_closed = state_ == State::kClosed;
    state_ = State::kOpen;
    return was_closed;
  }
  // A probe is under way; no effect when closed.
  void OnProbe() {
    if (state_ == State::kOpen) state_ = State::kHalfOpen;
  }

 private:
  bool Change(State to) {
    const bool changed = state_ != to;
    state_ = to;
    return changed;
  }

  const int failures_to_open_;
  int failures_ = 0;
  State state_ = State::kClosed;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_BREAKER_H_
