#include "services/router-decision/core/policy_settings.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace signalbox::router_decision {
namespace {

// Beyond this the cheapest endpoint wins every draw, and weights of dear ones leave the range of a
// double.
constexpr double kSteepestExponent = 8;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

absl::StatusOr<PolicySettings> ToPolicySettings(const config::v1::PolicyConfig& config) {
  PolicySettings settings;
  if (config.has_outage_window()) settings.outage_window = ToDuration(config.outage_window());
  if (config.has_price_exponent()) settings.price_exponent = config.price_exponent();
  if (config.has_completion_weight()) settings.completion_weight = config.completion_weight();
  if (config.has_auto_exacto()) settings.auto_exacto = config.auto_exacto();
  if (config.has_valid_for()) settings.valid_for = ToDuration(config.valid_for());

  std::vector<std::string> problems;
  if (settings.outage_window < absl::ZeroDuration())
    problems.push_back("outage_window: must not be negative");
  if (settings.valid_for < absl::ZeroDuration())
    problems.push_back("valid_for: must not be negative");
  if (!(settings.price_exponent >= 0 && settings.price_exponent <= kSteepestExponent)) {
    problems.push_back(
        absl::StrCat("price_exponent: ", settings.price_exponent, " is not within 0 … 8"));
  }
  if (!(settings.completion_weight >= 0 && settings.completion_weight <= 1)) {
    problems.push_back(
        absl::StrCat("completion_weight: ", settings.completion_weight, " is not within 0 … 1"));
  }
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return settings;
}

}  // namespace signalbox::router_decision
