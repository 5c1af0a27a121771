#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/metrics-aggregator/aggregator.h"

namespace signalbox::metrics_aggregator {
namespace {

absl::Status TakeDuration(bool is_set, const google::protobuf::Duration& value,
                          absl::string_view field, absl::Duration* into) {
  if (!is_set) return absl::OkStatus();
  *into = absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
  if (*into > absl::ZeroDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("aggregator.", field, ": must be positive"));
}

ExactoOptions ExactoFromConfig(const config::v1::ExactoConfig& config) {
  ExactoOptions options;
  if (config.min_providers() > 0) options.min_providers = config.min_providers();
  if (config.min_requests_30m() > 0) options.min_requests_30m = config.min_requests_30m();
  if (config.min_tool_requests_2h() > 0)
    options.min_tool_requests_2h = config.min_tool_requests_2h();
  if (config.has_throughput_sigmas()) options.throughput_sigmas = config.throughput_sigmas();
  if (config.has_tool_success_sigmas()) options.tool_success_sigmas = config.tool_success_sigmas();
  return options;
}

absl::Status TakeNumber(bool is_set, double value, double least, double most,
                        absl::string_view field, double* into) {
  if (!is_set) return absl::OkStatus();
  *into = value;
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("aggregator.estimator.", field, ": must be between ", least, " and ", most));
}

absl::Status TakeEstimator(const config::v1::EstimatorConfig& config, EstimatorOptions* options) {
  TrackOptions& tools = options->tools;
  RETURN_IF_ERROR(TakeNumber(config.has_prior_mean(), config.prior_mean(), 1e-4, 0.9, "prior_mean",
                             &tools.prior_mean));
  RETURN_IF_ERROR(TakeNumber(config.has_prior_weight(), config.prior_weight(), 0.1, 1000,
                             "prior_weight", &tools.prior_weight));
  RETURN_IF_ERROR(TakeNumber(config.has_drift_per_day(), config.drift_per_day(), 0, 100,
                             "drift_per_day", &tools.drift_per_day));
  RETURN_IF_ERROR(TakeNumber(config.has_max_weight(), config.max_weight(), 10, 1e6, "max_weight",
                             &tools.max_weight));
  RETURN_IF_ERROR(TakeNumber(config.has_grown_limit(), config.grown_limit(), 1, 100, "grown_limit",
                             &tools.grown_limit));
  RETURN_IF_ERROR(TakeNumber(config.has_broken_limit(), config.broken_limit(), 1, 100,
                             "broken_limit", &tools.broken_limit));
  absl::Duration fast = absl::Seconds(tools.fast_half_life_seconds);
  RETURN_IF_ERROR(TakeDuration(config.has_fast_half_life(), config.fast_half_life(),
                               "estimator.fast_half_life", &fast));
  tools.fast_half_life_seconds = absl::ToDoubleSeconds(fast);
  RETURN_IF_ERROR(TakeDuration(config.has_circuit_open(), config.circuit_open(),
                               "estimator.circuit_open", &options->circuit_open));
  return TakeDuration(config.has_circuit_max_open(), config.circuit_max_open(),
                      "estimator.circuit_max_open", &options->circuit_max_open);
}

}  // namespace

absl::StatusOr<AggregatorOptions> OptionsFromConfig(const config::v1::AggregatorConfig& config) {
  AggregatorOptions options;
  RETURN_IF_ERROR(TakeDuration(config.has_flush_interval(), config.flush_interval(),
                               "flush_interval", &options.flush_interval));
  RETURN_IF_ERROR(TakeDuration(config.has_publish_interval(), config.publish_interval(),
                               "publish_interval", &options.publish_interval));
  RETURN_IF_ERROR(TakeDuration(config.has_lease(), config.lease(), "lease", &options.lease));
  if (config.max_endpoints() < 0)
    return absl::InvalidArgumentError("aggregator.max_endpoints: must be positive");
  if (config.max_endpoints() > 0) {
    options.max_entries = config.max_endpoints();
    options.book.max_endpoints = config.max_endpoints();
  }
  options.book.exacto = ExactoFromConfig(config.exacto());
  RETURN_IF_ERROR(TakeEstimator(config.estimator(), &options.book.estimator));
  return options;
}

}  // namespace signalbox::metrics_aggregator
