// The seam to the brain. Implemented by router-decision itself (direct) and by seam_grpc's client
// stub.
#ifndef SIGNALBOX_COMMON_SEAM_ROUTER_DECISION_H_
#define SIGNALBOX_COMMON_SEAM_ROUTER_DECISION_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/executor.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::seam {

class RouterDecision {
 public:
  using DecideCallback = std::function<void(absl::StatusOr<router::v1::DecideResponse>)>;
  using ExplainCallback = std::function<void(absl::StatusOr<router::v1::ExplainResponse>)>;

  virtual ~RouterDecision() = default;
  // The callback runs on `executor`: inside the call when the answer is at hand (direct), later
  // otherwise. Errors carry an ErrorDetail; UNAVAILABLE and DEADLINE_EXCEEDED mean the router could
  // not be asked. REQUIRES: on the executor's thread. Thread-safe across executors.
  virtual void Decide(const router::v1::DecideRequest& request, absl::Duration timeout,
                      Executor& executor, DecideCallback done) = 0;
  virtual void Explain(const router::v1::ExplainRequest& request, absl::Duration timeout,
                       Executor& executor, ExplainCallback done) = 0;
};

}  // namespace signalbox::seam

#endif  // SIGNALBOX_COMMON_SEAM_ROUTER_DECISION_H_
