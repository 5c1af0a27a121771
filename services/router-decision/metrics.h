// The names of everything router-decision measures.
//
// Thread-safe. A default-made RouterMetrics counts nothing.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/types/span.h"
#include "common/catalogue/catalogue.h"
#include "common/obs/metrics.h"
#include "services/router-decision/core/snapshot.h"

namespace signalbox::router_decision {

struct RouterMetrics {
  RouterMetrics() = default;
  explicit RouterMetrics(obs::Metrics& metrics);

  // signalbox_router_decisions_total{outcome}
  obs::Counter decided;       // at least one candidate
  obs::Counter no_endpoints;  // every endpoint excluded
  obs::Counter model_not_found;
  obs::Counter not_available;
  obs::Counter invalid_request;
  obs::Counter not_ready;  // no catalogue or no word of the providers yet

  obs::Counter explained;       // signalbox_router_explanations_total
  obs::Histogram seconds;       // signalbox_router_decide_seconds
  obs::Histogram candidates;    // signalbox_router_candidates
  obs::Gauge snapshot_age;      // signalbox_router_snapshot_age_seconds
  obs::Gauge snapshot_version;  // signalbox_router_snapshot_version
  obs::Gauge active_providers;  // signalbox_router_active_providers
  obs::Counter polls_ok;        // signalbox_router_provider_polls_total{outcome}
  obs::Counter polls_failed;
};

// The shares of the snapshot in use as gauges, one per endpoint of which scores are known: the part
// of a model's requests with tools and without preferences that it gets. Thread-compatible.
class ShareGauges {
 public:
  explicit ShareGauges(obs::Metrics& metrics);
  // Sets the gauges and removes those of endpoints that are gone.
  void Show(const Snapshot& snapshot);

 private:
  struct Handle {
    obs::Gauge gauge;
    uint64_t seen = 0;
  };
  void ShowModel(const Snapshot& snapshot, absl::Span<const catalogue::Endpoint* const> endpoints);

  obs::GaugeFamily& shares_;
  uint64_t round_ = 0;
  std::map<std::string, Handle> endpoints_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_
