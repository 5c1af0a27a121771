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
  return options;
}

}  // namespace signalbox::metrics_aggregator
