// Buckets -> the numbers that routing sees. A pure function of what it is given, so that it can be
// replaced and compared without touching counting, storage or policy.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/metrics-aggregator/core/window.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

struct EstimatorOptions {
  // A 10-second bucket is a significant outage when it holds so many failures and they are this
  // share of all attempts.
  int64_t outage_min_failures = 3;
  double outage_failure_share = 0.5;
};

// Everything of an EndpointScore but Auto Exacto's standing.
metrics::v1::EndpointScore Estimate(absl::string_view endpoint_id, const EndpointWindow& window,
                                    absl::Time now, const EstimatorOptions& options);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_
