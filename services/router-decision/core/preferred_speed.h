// The request's wishes for speed, preferred_min_throughput and preferred_max_latency: bounds on
// percentiles of the last 5 minutes. All must hold; an endpoint that misses one, or of which
// nothing is known, comes after those that hold them, and none is excluded.
//
// A percentile p90 is what 90 % of requests do at least as well as, for speeds and times alike: the
// higher the percentile, the worse the case.
//
// Pure. Refers to the preferences it was made from.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_PREFERRED_SPEED_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_PREFERRED_SPEED_H_

#include <string>

#include "signalbox/metrics/v1/metrics.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::router_decision {

class PreferredSpeed {
 public:
  explicit PreferredSpeed(const router::v1::ProviderPreferences& preferences);

  // Whether the request wishes anything at all.
  bool any() const { return any_; }
  // True without a wish. `score` may be null: nothing is known.
  bool HeldBy(const metrics::v1::EndpointScore* score) const;
  // The first bound that is missed: "p90 throughput 31.2 tokens/s < 50.0 preferred",
  // "p50 time to first token unknown, at most 800 ms preferred"; empty when all hold.
  std::string Explain(const metrics::v1::EndpointScore* score) const;

 private:
  const router::v1::ProviderPreferences& preferences_;
  const bool any_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_PREFERRED_SPEED_H_
