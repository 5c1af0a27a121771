// router-decision's logic behind its seam: choose the models, filter and rank their endpoints,
// answer. Each call takes the current snapshot and works on it to the end, so a reload never mixes
// two catalogues in one answer.
//
// Thread-safe. The callback runs inside the call. No I/O, no lock held while deciding.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_ROUTER_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_ROUTER_H_

#include <atomic>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/seam/router_decision.h"
#include "services/router-decision/core/explain.h"
#include "services/router-decision/core/snapshot.h"
#include "services/router-decision/metrics.h"

namespace signalbox::router_decision {

class Router final : public seam::RouterDecision {
 public:
  // The references outlive the router. Decisions draw from random numbers made of `seed` and a
  // count of decisions: the same seed and calls give the same answers.
  Router(const SnapshotHolder& snapshots, const Clock& clock, uint64_t seed, RouterMetrics metrics);

  void Decide(const router::v1::DecideRequest& request, absl::Duration timeout, Executor& executor,
              DecideCallback done) override;
  void Explain(const router::v1::ExplainRequest& request, absl::Duration timeout,
               Executor& executor, ExplainCallback done) override;

  // The same without callback. Errors: as the seam says; UNAVAILABLE while the snapshot is not
  // ready.
  absl::StatusOr<router::v1::DecideResponse> DecideNow(const router::v1::RequestFeatures& features);
  absl::StatusOr<router::v1::ExplainResponse> ExplainNow(const router::v1::ExplainRequest& request);

  // Sets the gauges that tell of the snapshot in use.
  void UpdateGauges();

 private:
  absl::StatusOr<router::v1::DecideResponse> Answer(const router::v1::RequestFeatures& features,
                                                    uint64_t seed, Detail detail) const;
  uint64_t NextSeed() { return seed_ + decisions_.fetch_add(1, std::memory_order_relaxed); }
  void Count(const absl::StatusOr<router::v1::DecideResponse>& answer, absl::Duration taken) const;

  const SnapshotHolder& snapshots_;
  const Clock& clock_;
  const uint64_t seed_;
  std::atomic<uint64_t> decisions_{0};
  const RouterMetrics metrics_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_ROUTER_H_
