#include "common/host/drain.h"

#include <algorithm>

#include "common/obs/log.h"

namespace signalbox::host {
namespace {

// How often InFlight is asked: a drain is rarely longer for it, and costs nothing.
constexpr absl::Duration kPoll = absl::Milliseconds(10);

// Requests left when the deadline passed.
int WaitUntilIdle(const Module& module, absl::Duration deadline, const Clock& clock,
                  const std::function<void(absl::Duration)>& wait) {
  int in_flight = module.InFlight();
  while (in_flight > 0 && clock.Monotonic() < deadline) {
    wait(std::min(kPoll, deadline - clock.Monotonic()));
    in_flight = module.InFlight();
  }
  return in_flight;
}

}  // namespace

DrainResult DrainModules(absl::Span<Module* const> modules, const DrainPlan& plan,
                         const Clock& clock, const std::function<void(absl::Duration)>& wait) {
  DrainResult result;
  const absl::Duration start = clock.Monotonic();
  plan.turn_unready();
  for (auto module = modules.rbegin(); module != modules.rend(); ++module)
    (*module)->AnnounceDrain();
  if (plan.notice > absl::ZeroDuration()) wait(plan.notice);
  const absl::Duration deadline = clock.Monotonic() + plan.timeout;
  for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
    (*module)->BeginDrain();
    const int left = WaitUntilIdle(**module, deadline, clock, wait);
    result.left_in_flight += left;
    obs::Log(left > 0 ? obs::kWarning : obs::kInfo, "module_drained")
        .With("module", (*module)->name())
        .With("left_in_flight", left);
  }
  plan.shut_down_server();
  for (auto module = modules.rbegin(); module != modules.rend(); ++module) (*module)->Stop();
  result.took = clock.Monotonic() - start;
  return result;
}

}  // namespace signalbox::host
