// Rankings as protocol messages: the short form for Decide, and every number and reason for
// Explain.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_EXPLAIN_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_EXPLAIN_H_

#include "absl/time/time.h"
#include "services/router-decision/core/policy.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::router_decision {

enum class Detail {
  kDecision,     // candidates without scores; exclusions only when there is no candidate
  kExplanation,  // candidates with scores, and all exclusions
};

router::v1::DecideResponse ToResponse(const Ranking& ranking, const RequestFilters& filters,
                                      const Snapshot& snapshot, absl::Time now, Detail detail);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_EXPLAIN_H_
