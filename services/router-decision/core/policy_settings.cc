#include "services/router-decision/core/policy_settings.h"

#include <string>
#include <utility>
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

void Read(bool present, double value, double* setting) {
  if (present) *setting = value;
}

void ReadWeights(const config::v1::ScoreWeights& config, ScoreWeights* weights) {
  Read(config.has_price(), config.price(), &weights->price);
  Read(config.has_speed(), config.speed(), &weights->speed);
  Read(config.has_benchmark(), config.benchmark(), &weights->benchmark);
  Read(config.has_saturation(), config.saturation(), &weights->saturation);
  Read(config.has_failure(), config.failure(), &weights->failure);
}

void ReadAdjustedPrice(const config::v1::AdjustedPrice& config, AdjustedPriceSettings* settings) {
  Read(config.has_failure_exponent(), config.failure_exponent(), &settings->failure_exponent);
  Read(config.has_tool_error_exponent(), config.tool_error_exponent(),
       &settings->tool_error_exponent);
  Read(config.has_saturation_exponent(), config.saturation_exponent(),
       &settings->saturation_exponent);
  Read(config.has_slowness_exponent(), config.slowness_exponent(), &settings->slowness_exponent);
}

void CheckRange(absl::string_view name, double value, double least, double most,
                std::vector<std::string>* problems) {
  if (value >= least && value <= most) return;
  problems->push_back(absl::StrCat(name, ": ", value, " is not within ", least, " … ", most));
}

void CheckWeights(absl::string_view name, const ScoreWeights& weights,
                  std::vector<std::string>* problems) {
  const std::pair<absl::string_view, double> members[] = {{"price", weights.price},
                                                          {"speed", weights.speed},
                                                          {"benchmark", weights.benchmark},
                                                          {"saturation", weights.saturation},
                                                          {"failure", weights.failure}};
  for (const auto& [member, value] : members)
    CheckRange(absl::StrCat(name, ".", member), value, 0, 1, problems);
}

void CheckAdjustedPrice(const AdjustedPriceSettings& settings, std::vector<std::string>* problems) {
  const std::pair<absl::string_view, double> members[] = {
      {"failure_exponent", settings.failure_exponent},
      {"tool_error_exponent", settings.tool_error_exponent},
      {"saturation_exponent", settings.saturation_exponent},
      {"slowness_exponent", settings.slowness_exponent}};
  for (const auto& [member, value] : members)
    CheckRange(absl::StrCat("adjusted_price.", member), value, 0, 20, problems);
}

}  // namespace

absl::StatusOr<PolicySettings> ToPolicySettings(const config::v1::PolicyConfig& config) {
  PolicySettings settings;
  if (config.has_outage_window()) settings.outage_window = ToDuration(config.outage_window());
  if (config.has_price_exponent()) settings.price_exponent = config.price_exponent();
  if (config.has_completion_weight()) settings.completion_weight = config.completion_weight();
  if (config.has_auto_exacto()) settings.auto_exacto = config.auto_exacto();
  if (config.has_valid_for()) settings.valid_for = ToDuration(config.valid_for());
  settings.documented_exacto = config.exacto() == config::v1::EXACTO_POLICY_DOCUMENTED;
  ReadWeights(config.auto_exacto_weights(), &settings.auto_exacto_weights);
  settings.exacto_weights = settings.auto_exacto_weights;
  settings.exacto_weights.price = 0;
  ReadWeights(config.exacto_weights(), &settings.exacto_weights);
  Read(config.has_certainty(), config.certainty(), &settings.certainty);
  Read(config.has_probe_share(), config.probe_share(), &settings.probe_share);
  Read(config.has_recovery_share(), config.recovery_share(), &settings.recovery_share);
  if (config.has_probation_outcomes()) settings.probation_outcomes = config.probation_outcomes();
  Read(config.has_probation_share(), config.probation_share(), &settings.probation_share);
  ReadAdjustedPrice(config.adjusted_price(), &settings.adjusted_price);

  std::vector<std::string> problems;
  if (settings.outage_window < absl::ZeroDuration())
    problems.push_back("outage_window: must not be negative");
  if (settings.valid_for < absl::ZeroDuration())
    problems.push_back("valid_for: must not be negative");
  CheckRange("price_exponent", settings.price_exponent, 0, kSteepestExponent, &problems);
  CheckRange("completion_weight", settings.completion_weight, 0, 1, &problems);
  CheckWeights("auto_exacto_weights", settings.auto_exacto_weights, &problems);
  CheckWeights("exacto_weights", settings.exacto_weights, &problems);
  CheckRange("certainty", settings.certainty, 1, 100, &problems);
  CheckRange("probe_share", settings.probe_share, 0, 0.5, &problems);
  CheckRange("recovery_share", settings.recovery_share, 0, 0.5, &problems);
  CheckRange("probation_share", settings.probation_share, 0, 1, &problems);
  if (settings.probation_outcomes < 0)
    problems.push_back("probation_outcomes: must not be negative");
  CheckAdjustedPrice(settings.adjusted_price, &problems);
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return settings;
}

}  // namespace signalbox::router_decision
