// The order in which a process stops taking and doing work (design decision D12). The same for one
// module and for four.
//
// Pure but for what it calls; runs on the caller's thread.
#ifndef SIGNALBOX_COMMON_HOST_DRAIN_H_
#define SIGNALBOX_COMMON_HOST_DRAIN_H_

#include <functional>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/clock.h"
#include "common/host/module.h"

namespace signalbox::host {

struct DrainPlan {
  absl::Duration notice;   // between "not ready" and the first BeginDrain: load balancers look away
  absl::Duration timeout;  // for all modules together
  std::function<void()> turn_unready;      // readiness and gRPC health off
  std::function<void()> shut_down_server;  // ends gRPC calls that are still open
};

struct DrainResult {
  absl::Duration took;
  int left_in_flight = 0;  // when the timeout ended the wait
};

// 1. turn_unready and AnnounceDrain, then `notice` in which everything is served as before.
// 2. From the edge (the last module) inwards: BeginDrain, then wait until the module has nothing in
// flight. When the
//    timeout has passed the remaining modules are drained without waiting.
// 3. shut_down_server.
// 4. Stop in reverse order of Start.
// `modules` in the order of Start. `wait` blocks for about the given time.
DrainResult DrainModules(absl::Span<Module* const> modules, const DrainPlan& plan,
                         const Clock& clock, const std::function<void(absl::Duration)>& wait);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_DRAIN_H_
