// The metrics of the metrics-aggregator. The only place that knows their names.
//
// Thread-safe, except SnapshotGauges.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_METRICS_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_METRICS_H_

#include <map>
#include <string>

#include "common/obs/metrics.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

// Default-made: counts nothing.
struct AggregatorMetrics {
  AggregatorMetrics() = default;
  explicit AggregatorMetrics(obs::Metrics& metrics);

  obs::Counter outcomes;            // taken
  obs::Counter outcomes_malformed;  // without a usable endpoint id
  obs::Counter
      outcomes_dropped;  // store away for too long, or a merged group partly counted elsewhere
  obs::Counter batches;  // taken
  obs::Counter batches_duplicate;  // counted before, here or by another replica
  obs::Counter batches_refused;    // malformed or no room: the reporter keeps them
  obs::Histogram flush_seconds;    // from the start of a flush to its last answer
  obs::Counter flush_failures;     // store calls of a flush that were not answered well; repeated
  obs::Gauge pending_entries;      // pairs of time and endpoint not yet in the store
  obs::Histogram publish_seconds;  // from asking for news to the published snapshot
  obs::Counter publications;
  obs::Counter publication_failures;
  obs::Gauge lease_held;         // 1 on the replica that publishes
  obs::Gauge endpoints_refused;  // not scored: more than max_endpoints
  obs::Gauge snapshot_version;
  obs::Gauge snapshot_age_seconds;  // of the latest snapshot seen; -1 without one
};

// The latest scores as gauges, one set per endpoint. Thread-compatible.
class SnapshotGauges {
 public:
  explicit SnapshotGauges(obs::Metrics& metrics);
  // Sets the gauges of the snapshot's endpoints and removes those of endpoints that are gone.
  void Show(const metrics::v1::ScoreSnapshot& snapshot);

 private:
  struct Handles {
    obs::Gauge availability, tool_success, tool_error, alarm, circuit, throughput, ttft, tier;
    uint64_t seen = 0;
  };
  Handles MakeHandles(const std::string& endpoint);
  void RemoveGone();

  obs::GaugeFamily& availability_;
  obs::GaugeFamily& tool_success_;
  obs::GaugeFamily& tool_error_;
  obs::GaugeFamily& alarm_;
  obs::GaugeFamily& circuit_;
  obs::GaugeFamily& throughput_;
  obs::GaugeFamily& ttft_;
  obs::GaugeFamily& tier_;
  uint64_t round_ = 0;
  std::map<std::string, Handles> endpoints_;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_METRICS_H_
