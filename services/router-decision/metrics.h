// The names of everything router-decision measures.
//
// Thread-safe. A default-made RouterMetrics counts nothing.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_

#include "common/obs/metrics.h"

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

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_METRICS_H_
