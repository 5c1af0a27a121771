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
  snapshot_age = metrics
                     .Gauge("signalbox_router_snapshot_age_seconds",
                            "Age of the scores in use, seconds; -1 = there are none yet.")
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

ShareGauges::ShareGauges(obs::Metrics& metrics)
    : shares_(metrics.Gauge("signalbox_router_endpoint_share",
                            "Part of a model's requests with tools that the endpoint gets, 0 to 1.",
                            {"endpoint"})) {}

void ShareGauges::Show(const Snapshot& snapshot) {
  if (!snapshot.ready()) return;
  ++round_;
  for (const config::v1::Model& model : snapshot.catalogue().source().models())
    ShowModel(snapshot, snapshot.catalogue().EndpointsOf(model.id()));
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    if (it->second.seen == round_) {
      ++it;
      continue;
    }
    const absl::string_view label[] = {it->first};
    shares_.Remove(label);
    it = endpoints_.erase(it);
  }
}

void ShareGauges::ShowModel(const Snapshot& snapshot,
                            absl::Span<const catalogue::Endpoint* const> endpoints) {
  std::vector<int> seats;
  std::vector<const EndpointFacts*> live;
  bool known = false;
  for (const catalogue::Endpoint* endpoint : endpoints) {
    const EndpointFacts& facts = snapshot.facts(endpoint->index);
    if (facts.scores == nullptr || facts.free) continue;
    known |= facts.score != nullptr;
    seats.push_back(facts.seat);
    live.push_back(&facts);
  }
  if (!known || snapshot.policy().documented_exacto) return;
  std::vector<double> shares(seats.size());
  live[0]->scores->auto_exacto.Shares(seats, absl::MakeSpan(shares));
  for (size_t i = 0; i < live.size(); ++i) {
    if (live[i]->score == nullptr) continue;
    const std::string& id = live[i]->endpoint->id;
    auto found = endpoints_.find(id);
    if (found == endpoints_.end())
      found = endpoints_.emplace(id, Handle{shares_.With({id}), 0}).first;
    found->second.seen = round_;
    found->second.gauge.Set(shares[i]);
  }
}

}  // namespace signalbox::router_decision
