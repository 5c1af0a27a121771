#include "services/router-decision/core/service_tier.h"

namespace signalbox::router_decision {

using router::v1::RequestFeatures;

bool AdmitsServiceTier(absl::string_view tier, const RequestFeatures& features,
                       const ModelChoice& choice) {
  switch (features.service_tier()) {
    case router::v1::SERVICE_TIER_FLEX:
      return tier == "flex";
    case router::v1::SERVICE_TIER_PRIORITY:
      return tier.empty() || tier == "priority";
    case router::v1::SERVICE_TIER_DEFAULT:
      return tier.empty();
    default:
      return tier.empty() || (tier == "flex" && choice.admits_flex) ||
             (tier == "priority" && choice.admits_priority);
  }
}

int ServiceTierRank(absl::string_view tier, const RequestFeatures& features) {
  return features.service_tier() == router::v1::SERVICE_TIER_PRIORITY && tier != "priority" ? 1 : 0;
}

absl::string_view AdmittedServiceTiers(const RequestFeatures& features, const ModelChoice& choice) {
  const bool flex = AdmitsServiceTier("flex", features, choice);
  if (!AdmitsServiceTier("", features, choice)) return "flex";
  if (flex) return "default, flex";
  return AdmitsServiceTier("priority", features, choice) ? "default, priority" : "default";
}

}  // namespace signalbox::router_decision
