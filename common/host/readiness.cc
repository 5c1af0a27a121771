#include "common/host/readiness.h"

#include <utility>

namespace signalbox::host {

absl::string_view HostStateName(HostState state) {
  switch (state) {
    case HostState::kStarting:
      return "starting";
    case HostState::kServing:
      return "serving";
    case HostState::kDraining:
      return "draining";
    case HostState::kStopped:
      return "stopped";
  }
  return "unknown";
}

void ReadinessLatch::Release() {
  if (readiness_ != nullptr) readiness_->Release(name_);
}

ReadinessLatch Readiness::AddLatch(std::string name) {
  {
    absl::MutexLock lock(&mutex_);
    latches_.insert(name);
  }
  NotifyIfChanged();
  return ReadinessLatch(this, std::move(name));
}

void Readiness::Release(const std::string& name) {
  {
    absl::MutexLock lock(&mutex_);
    latches_.erase(name);
  }
  NotifyIfChanged();
}

bool Readiness::ready() const {
  absl::MutexLock lock(&mutex_);
  return ReadyLocked();
}

bool Readiness::ReadyLocked() const { return state_ == HostState::kServing && latches_.empty(); }

HostState Readiness::state() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

std::vector<std::string> Readiness::waiting() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names(latches_.begin(), latches_.end());
  if (state_ != HostState::kServing)
    names.insert(names.begin(), std::string(HostStateName(state_)));
  return names;
}

void Readiness::SetState(HostState state) {
  {
    absl::MutexLock lock(&mutex_);
    state_ = state;
  }
  NotifyIfChanged();
}

void Readiness::OnChange(std::function<void(bool ready)> listener) {
  absl::MutexLock lock(&notify_mutex_);
  listener_ = std::move(listener);
  notified_ = ready();
  if (listener_) listener_(notified_);
}

void Readiness::NotifyIfChanged() {
  absl::MutexLock lock(&notify_mutex_);
  const bool now = ready();
  if (now == notified_) return;
  notified_ = now;
  if (listener_) listener_(now);
}

}  // namespace signalbox::host
