// The numbers of the routing policy, with defaults filled in and checked.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "signalbox/config/v1/services.pb.h"

namespace signalbox::router_decision {

struct PolicySettings {
  absl::Duration outage_window = absl::Seconds(30);
  double price_exponent = 2;
  // Chat requests read about three times as many tokens as they write.
  double completion_weight = 0.25;
  bool auto_exacto = true;
  absl::Duration valid_for = absl::Seconds(2);
};

// Error: INVALID_ARGUMENT naming every number that is out of range.
absl::StatusOr<PolicySettings> ToPolicySettings(const config::v1::PolicyConfig& config);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_
