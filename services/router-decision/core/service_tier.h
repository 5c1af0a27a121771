// Service tiers: some providers sell a model twice more, as "flex" (cheap, slow, may be refused)
// and as "priority" (dear, fast). Such an endpoint serves only those who ask for it:
//
//   service_tier   admits                  order
//   auto, unset    standard; with :floor flex too, with :nitro priority too   as if they were
//   standard default        standard                - flex           flex, nothing else      -
//   priority       priority and standard   priority first
//
// or who name its tag in provider.order or provider.only.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SERVICE_TIER_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SERVICE_TIER_H_

#include "absl/strings/string_view.h"
#include "services/router-decision/core/model_choice.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::router_decision {

// `tier` as in the catalogue: "", "flex" or "priority".
bool AdmitsServiceTier(absl::string_view tier, const router::v1::RequestFeatures& features,
                       const ModelChoice& choice);

// Where an admitted endpoint stands among the tiers, 0 = first; between model and `order` position
// on one side and everything else on the other.
int ServiceTierRank(absl::string_view tier, const router::v1::RequestFeatures& features);

// "default, flex": what AdmitsServiceTier admits, for people.
absl::string_view AdmittedServiceTiers(const router::v1::RequestFeatures& features,
                                       const ModelChoice& choice);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SERVICE_TIER_H_
