// Buckets -> the numbers that routing sees. A pure function of what it is given, so that it can be
// replaced and compared without touching counting, storage or policy, and so that every replica
// arrives at the same numbers.
//
// The buckets are laid end to end: hours up to the last 2 to 3 hours, from there minutes, and the
// last 19 to 20 minutes in steps of 10 seconds. Each outcome is looked at once, at the finest
// resolution at which it is still there.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/metrics-aggregator/core/track.h"
#include "services/metrics-aggregator/core/window.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

struct EstimatorOptions {
  EstimatorOptions();

  // A 10-second bucket is a significant outage when it holds so many failures and they are this
  // share of all attempts.
  int64_t outage_min_failures = 3;
  double outage_failure_share = 0.5;
  // An outage opens the circuit for so long from its last sight, doubled by each outage that
  // follows without a success between, up to the maximum.
  absl::Duration circuit_open = absl::Seconds(20);
  absl::Duration circuit_max_open = absl::Minutes(5);

  TrackOptions tools;
  TrackOptions failures;  // its detectors are not used: circuits are quicker

  // 429s: the last minutes count most; requests assumed to have passed before any was seen.
  double saturation_half_life_seconds = 60;
  double saturation_prior_requests = 10;
  // Percentiles of the last 5 minutes are given from so many answers on.
  int64_t min_recent_answers = 10;
};

// Everything of an EndpointScore that rests on this endpoint alone: not its standing among its
// peers (exacto_rule.h, peers.h), not its benchmarks.
metrics::v1::EndpointScore Estimate(absl::string_view endpoint_id, const EndpointWindow& window,
                                    absl::Time now, const EstimatorOptions& options);

// How an endpoint nothing is known of is taken.
metrics::v1::Posterior PriorOf(const TrackOptions& options);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_ESTIMATOR_H_
