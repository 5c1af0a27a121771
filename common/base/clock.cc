#include "common/base/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace signalbox {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Monotonic() const override {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return absl::Seconds(t.tv_sec) + absl::Nanoseconds(t.tv_nsec);
  }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock* const clock = new RealClock;
  return *clock;
}

FakeClock::FakeClock(absl::Time now) : start_ns_(absl::ToUnixNanos(now)) {}
absl::Time FakeClock::Now() const { return absl::FromUnixNanos(start_ns_ + passed_ns_.load()); }
absl::Duration FakeClock::Monotonic() const { return absl::Nanoseconds(passed_ns_.load()); }
void FakeClock::Advance(absl::Duration by) { passed_ns_ += absl::ToInt64Nanoseconds(by); }

}  // namespace signalbox
