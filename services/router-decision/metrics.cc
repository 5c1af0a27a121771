#include "services/router-decision/metrics.h"

#include <vector>

namespace signalbox::router_decision {
namespace {

// A decision takes microseconds.
const std::vector<double>& DecideBuckets() {
  static const auto* buckets =
      new std::vector<double>{2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2};
  return *buckets;
}

const std::vector<double>& CandidateBuckets() {
  static const auto* buckets = new std::vector<double>{0, 1, 2, 3, 5, 10, 20, 50};
  return *buckets;
}

}  // namespace

RouterMetrics::RouterMetrics(obs::Metrics& metrics) {
  obs::CounterFamily& decisions =
      metrics.Counter("signalbox_router_decisions_total", "Decisions by outcome.", {"outcome"});
  decided = decisions.With({"decided"});
  no_endpoints = decisions.With({"no_endpoints"});
  model_not_found = decisions.With({"model_not_found"});
  not_available = decisions.With({"not_available"});
  invalid_request = decisions.With({"invalid_request"});
  not_ready = decisions.With({"not_ready"});
  explained =
      metrics.Counter("signalbox_router_explanations_total", "Explanations given.").WithNone();
  seconds =
      metrics.Histogram("signalbox_router_decide_seconds", "Time of a decision.", DecideBuckets())
          .WithNone();
  candidates = metrics
                   .Histogram("signalbox_router_candidates",
                              "Endpoints that could serve a request.", CandidateBuckets())
                   .WithNone();
  snapshot_age = metrics.Gauge("signalbox_router_snapshot_age_seconds", "Age of the scores in use.")
                     .WithNone();
  snapshot_version =
      metrics.Gauge("signalbox_router_snapshot_version", "Version of the scores in use, 0 = none.")
          .WithNone();
  active_providers =
      metrics.Gauge("signalbox_router_active_providers", "Providers that have a key.").WithNone();
  obs::CounterFamily& polls = metrics.Counter("signalbox_router_provider_polls_total",
                                              "Questions which providers are active.", {"outcome"});
  polls_ok = polls.With({"ok"});
  polls_failed = polls.With({"error"});
}

}  // namespace signalbox::router_decision
