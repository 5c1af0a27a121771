// Which wait of an attempt ends when: first content, gap between two reads, the whole. Knows no
// timer: the owner asks for the next due time and what has expired.
//
// While reading is paused (the client is slow) only the total deadline runs. Thread-compatible.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ATTEMPT_DEADLINES_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ATTEMPT_DEADLINES_H_

#include "absl/time/time.h"

namespace signalbox::provider_adapter {

class AttemptDeadlines {
 public:
  enum class Expiry { kNone, kFirstContent, kIdle, kTotal, kEndGrace };

  // Infinite = no such limit. `idle` counts from the first content on; where `first_content` is
  // infinite, from the response head on.
  struct Limits {
    absl::Duration first_content = absl::InfiniteDuration();
    absl::Duration idle = absl::InfiniteDuration();
    absl::Duration total = absl::InfiniteDuration();
    absl::Duration end_grace = absl::InfiniteDuration();  // end marker to end of the body
  };

  // `now` is a reading of a monotonic clock everywhere.
  AttemptDeadlines(const Limits& limits, absl::Duration now)
      : limits_(limits),
        last_read_(now),
        first_content_due_(now + limits.first_content),
        total_due_(now + limits.total) {}

  void HeadArrived(absl::Duration now) {
    last_read_ = now;
    if (limits_.first_content == absl::InfiniteDuration()) idle_runs_ = true;
  }
  void BytesArrived(absl::Duration now) { last_read_ = now; }
  void ContentArrived() {
    first_content_due_ = absl::InfiniteDuration();
    idle_runs_ = true;
  }
  void EndMarkerArrived(absl::Duration now) { end_due_ = now + limits_.end_grace; }
  void Pause(absl::Duration now) {
    if (!paused_) paused_at_ = now;
    paused_ = true;
  }
  void Resume(absl::Duration now) {
    if (!paused_) return;
    paused_ = false;
    first_content_due_ += now - paused_at_;
    last_read_ = now;
  }
  bool paused() const { return paused_; }

  absl::Duration NextDue() const;
  Expiry Expired(absl::Duration now) const;

 private:
  absl::Duration IdleDue() const {
    return idle_runs_ ? last_read_ + limits_.idle : absl::InfiniteDuration();
  }

  const Limits limits_;
  absl::Duration last_read_;
  absl::Duration first_content_due_;
  const absl::Duration total_due_;
  absl::Duration end_due_ = absl::InfiniteDuration();
  absl::Duration paused_at_;
  bool idle_runs_ = false;
  bool paused_ = false;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ATTEMPT_DEADLINES_H_
