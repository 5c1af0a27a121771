// Exponential back-off with full jitter: each delay is uniform in (0, min(cap, base × 2^n)].
//
// Thread-compatible.
#ifndef SIGNALBOX_COMMON_BASE_BACKOFF_H_
#define SIGNALBOX_COMMON_BASE_BACKOFF_H_

#include <algorithm>

#include "absl/time/time.h"
#include "common/base/rng.h"

namespace signalbox {

class Backoff {
 public:
  Backoff(absl::Duration base, absl::Duration cap, Rng rng)
      : base_(base), cap_(cap), next_(base), rng_(rng) {}

  absl::Duration Next() {
    const absl::Duration delay = next_ * std::max(rng_.Uniform(), 0.05);
    next_ = std::min(next_ * 2, cap_);
    return delay;
  }
  void Reset() { next_ = base_; }

 private:
  const absl::Duration base_;
  const absl::Duration cap_;
  absl::Duration next_;
  Rng rng_;
};

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_BACKOFF_H_
