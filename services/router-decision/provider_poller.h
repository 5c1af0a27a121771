// Keeps the set of active providers up to date by asking the adapter every few seconds. When the
// adapter cannot be asked, the last set stays in force.
//
// Everything runs on the executor's thread. Start and Stop are thread-safe; after Stop returns
// nothing is called any more.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_PROVIDER_POLLER_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_PROVIDER_POLLER_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/base/executor.h"
#include "common/seam/provider_adapter.h"
#include "services/router-decision/core/snapshot.h"
#include "services/router-decision/metrics.h"

namespace signalbox::router_decision {

class ProviderPoller {
 public:
  // The references outlive the poller. `on_first_answer` runs once, on the executor's thread.
  ProviderPoller(
      seam::ProviderAdapter& adapter, Executor& executor, absl::Duration interval,
      SnapshotHolder& snapshots, RouterMetrics metrics,
      std::function<void()> on_first_answer = [] {});
  ~ProviderPoller();  // stops
  ProviderPoller(const ProviderPoller&) = delete;
  ProviderPoller& operator=(const ProviderPoller&) = delete;

  void Start();
  void Stop();

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_PROVIDER_POLLER_H_
