// The metrics-aggregator as a module of a process: its own event loop, its own Redis connection,
// the aggregator. Knows no gRPC: who offers it over the network wraps aggregator()
// (common/seam_grpc); who links it in uses aggregator() directly.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_MODULE_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_MODULE_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/config/report.h"
#include "common/host/module.h"
#include "common/net/event_loop.h"
#include "common/obs/metrics.h"
#include "common/redis/connection.h"
#include "common/redis/options.h"
#include "common/store/keys.h"
#include "services/metrics-aggregator/aggregator.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::metrics_aggregator {

class AggregatorModule final : public host::Module {
 public:
  // All references outlive the module.
  struct Options {
    const config::v1::AggregatorConfig& config;
    redis::Options redis;  // the scores instance, with its password resolved
    store::Keys keys;
    const Clock& clock;
    obs::Metrics& metrics;
  };
  // Works from here on, with or without Redis: outcomes are gathered until it comes. Error:
  // InvalidArgument; Check finds the same.
  static absl::StatusOr<std::unique_ptr<AggregatorModule>> Create(Options options);

  static void Check(const config::v1::Config& config, config::Report* report);

  absl::string_view name() const override { return "metrics-aggregator"; }
  absl::Status Start() override { return absl::OkStatus(); }
  // Reporters drain first and hand over their last outcomes while this one is still open.
  void BeginDrain() override {}
  int InFlight() const override { return 0; }
  // Brings what is gathered to the store, a short while, and gives the lease back.
  void Stop() override;

  // For a reload of the configuration: `estimator` and `exacto`, from the next publication on.
  // Error: a bad number; the old ones stay. Thread-safe.
  absl::Status SetEstimator(const config::v1::AggregatorConfig& config);

  // Valid as long as the module.
  seam::MetricsAggregator& aggregator() { return aggregator_; }

 private:
  AggregatorModule(Options options, const AggregatorOptions& aggregator_options);

  net::EventLoop loop_;
  redis::Connection connection_;
  Aggregator aggregator_;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_MODULE_H_
