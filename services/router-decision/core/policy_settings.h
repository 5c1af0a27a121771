// The numbers of the routing policy, with defaults filled in and checked.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "signalbox/config/v1/services.pb.h"

namespace signalbox::router_decision {

// In units of tool-call error probability.
struct ScoreWeights {
  double price = 0.006;     // per factor e above the cheapest
  double speed = 0.003;     // per factor e below the median
  double benchmark = 0.02;  // when significantly low
  double saturation = 0.05;
  double failure = 0.05;
};

struct AdjustedPriceSettings {
  double failure_exponent = 4;
  double tool_error_exponent = 4;
  double saturation_exponent = 2;
  double slowness_exponent = 0.25;
};

struct PolicySettings {
  absl::Duration outage_window = absl::Seconds(30);
  double price_exponent = 2;
  // Chat requests read about three times as many tokens as they write.
  double completion_weight = 0.25;
  bool auto_exacto = true;
  absl::Duration valid_for = absl::Seconds(1);
  bool documented_exacto = false;  // the published rule in place of learnt shares
  ScoreWeights auto_exacto_weights;
  ScoreWeights exacto_weights{.price = 0};
  double certainty = 6;
  double probe_share = 0.001;
  double recovery_share = 0.01;
  int64_t probation_outcomes = 30;
  double probation_share = 0.3;
  AdjustedPriceSettings adjusted_price;
};

// Error: INVALID_ARGUMENT naming every number that is out of range.
absl::StatusOr<PolicySettings> ToPolicySettings(const config::v1::PolicyConfig& config);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_SETTINGS_H_
