// Time as a value that is handed in. Pure code takes a Clock, never the wall clock, so that tests
// choose the time.
//
// Thread-safe.
#ifndef SIGNALBOX_COMMON_BASE_CLOCK_H_
#define SIGNALBOX_COMMON_BASE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace signalbox {

class Clock {
 public:
  virtual ~Clock() = default;
  // Calendar time. May jump; for records and time stamps shown to people.
  virtual absl::Time Now() const = 0;
  // Never goes back; for deadlines and durations. The origin is arbitrary.
  virtual absl::Duration Monotonic() const = 0;

  // The process-wide real clock.
  static const Clock& Real();
};

// A clock that moves only when told to.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'700'000'000));
  absl::Time Now() const override;
  absl::Duration Monotonic() const override;
  void Advance(absl::Duration by);

 private:
  const int64_t start_ns_;
  std::atomic<int64_t> passed_ns_{0};
};

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_CLOCK_H_
