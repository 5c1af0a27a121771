#include "services/metrics-aggregator/module.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace signalbox::metrics_aggregator {
namespace {

// Nobody waits for these commands: what matters on the request path does not matter here.
constexpr absl::Duration kCommandTimeout = absl::Seconds(1);
constexpr absl::Duration kFlushLimit = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<AggregatorModule>> AggregatorModule::Create(Options options) {
  ASSIGN_OR_RETURN(const AggregatorOptions aggregator_options, OptionsFromConfig(options.config));
  options.redis.command_timeout = std::max(options.redis.command_timeout, kCommandTimeout);
  return std::unique_ptr<AggregatorModule>(
      new AggregatorModule(std::move(options), aggregator_options));
}

void AggregatorModule::Check(const config::v1::Config& config, config::Report* report) {
  const absl::Status status = OptionsFromConfig(config.aggregator()).status();
  if (!status.ok()) report->Add("aggregator", status.message());
}

absl::Status AggregatorModule::SetEstimator(const config::v1::AggregatorConfig& config) {
  ASSIGN_OR_RETURN(const AggregatorOptions options, OptionsFromConfig(config));
  aggregator_.SetBook(options.book);
  return absl::OkStatus();
}

AggregatorModule::AggregatorModule(Options options, const AggregatorOptions& aggregator_options)
    : loop_("aggregator"),
      connection_(loop_, options.redis, options.clock,
                  redis::ConnectionMetrics(options.metrics, options.redis.role)),
      aggregator_(connection_, options.redis, options.keys, aggregator_options, options.clock,
                  &options.metrics) {}

void AggregatorModule::Stop() { aggregator_.Flush(kFlushLimit); }

}  // namespace signalbox::metrics_aggregator
