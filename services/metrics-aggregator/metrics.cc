#include "services/metrics-aggregator/metrics.h"

#include <cmath>

namespace signalbox::metrics_aggregator {
namespace {

double Share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : std::nan("");
}

}  // namespace

AggregatorMetrics::AggregatorMetrics(obs::Metrics& metrics) {
  auto& outcome_family =
      metrics.Counter("signalbox_aggregator_outcomes_total", "Outcomes reported.", {"outcome"});
  outcomes = outcome_family.With({"taken"});
  outcomes_malformed = outcome_family.With({"malformed"});
  outcomes_dropped = outcome_family.With({"dropped"});
  auto& batch_family =
      metrics.Counter("signalbox_aggregator_batches_total", "Batches reported.", {"outcome"});
  batches = batch_family.With({"taken"});
  batches_duplicate = batch_family.With({"duplicate"});
  batches_refused = batch_family.With({"refused"});
  flush_seconds =
      metrics
          .Histogram("signalbox_aggregator_flush_seconds",
                     "Time to bring gathered outcomes to the store.", obs::LatencyBuckets())
          .WithNone();
  flush_failures = metrics
                       .Counter("signalbox_aggregator_flush_failures_total",
                                "Store calls of a flush that failed.")
                       .WithNone();
  pending_entries = metrics
                        .Gauge("signalbox_aggregator_pending_entries",
                               "Pairs of time and endpoint gathered and not yet in the store.")
                        .WithNone();
  publish_seconds = metrics
                        .Histogram("signalbox_aggregator_publish_seconds",
                                   "Time from news to a published snapshot.", obs::LatencyBuckets())
                        .WithNone();
  auto& publish_family = metrics.Counter("signalbox_aggregator_publications_total",
                                         "Snapshots published.", {"outcome"});
  publications = publish_family.With({"ok"});
  publication_failures = publish_family.With({"failed"});
  lease_held = metrics.Gauge("signalbox_aggregator_lease_held", "1 on the replica that publishes.")
                   .WithNone();
  endpoints_refused =
      metrics
          .Gauge("signalbox_aggregator_endpoints_refused",
                 "Notices of endpoints that are not scored because there are too many.")
          .WithNone();
  snapshot_version =
      metrics.Gauge("signalbox_aggregator_snapshot_version", "Version of the latest snapshot.")
          .WithNone();
  snapshot_age_seconds = metrics
                             .Gauge("signalbox_aggregator_snapshot_age_seconds",
                                    "Age of the latest snapshot, -1 without one.")
                             .WithNone();
}

SnapshotGauges::SnapshotGauges(obs::Metrics& metrics)
    : availability_(metrics.Gauge(
          "signalbox_aggregator_endpoint_availability",
          "Share of attempts of the last 5 minutes that did not fail; NaN without any.",
          {"endpoint"})),
      tool_success_(metrics.Gauge(
          "signalbox_aggregator_endpoint_tool_success",
          "Share of tool-call requests of the last 2 hours with valid calls; NaN without any.",
          {"endpoint"})),
      tool_error_(metrics.Gauge("signalbox_aggregator_endpoint_tool_error_expected",
                                "Share of broken tool calls that routing expects, 0 to 1.",
                                {"endpoint"})),
      alarm_(metrics.Gauge("signalbox_aggregator_endpoint_tool_alarm",
                           "1 while the endpoint's tool calls are taken for broken.",
                           {"endpoint"})),
      circuit_(metrics.Gauge("signalbox_aggregator_endpoint_circuit_open",
                             "1 while the endpoint's circuit is open.", {"endpoint"})),
      throughput_(metrics.Gauge("signalbox_aggregator_endpoint_throughput_tokens_per_second",
                                "Median over the last 30 minutes; 0 without data.", {"endpoint"})),
      ttft_(metrics.Gauge("signalbox_aggregator_endpoint_ttft_seconds",
                          "Median time to first token over the last 30 minutes; 0 without data.",
                          {"endpoint"})),
      tier_(metrics.Gauge("signalbox_aggregator_endpoint_exacto_tier",
                          "Auto Exacto: 1 good, 2 insufficient data, 3 deprioritised.",
                          {"endpoint"})) {}

void SnapshotGauges::Show(const metrics::v1::ScoreSnapshot& snapshot) {
  ++round_;
  for (const metrics::v1::EndpointScore& score : snapshot.endpoints()) {
    auto found = endpoints_.find(score.endpoint_id());
    if (found == endpoints_.end()) {
      found = endpoints_.emplace(score.endpoint_id(), MakeHandles(score.endpoint_id())).first;
    }
    Handles& handles = found->second;
    handles.seen = round_;
    handles.availability.Set(Share(score.attempts_5m() - score.failures_5m(), score.attempts_5m()));
    handles.tool_success.Set(
        Share(score.tool_requests_2h() - score.tool_failures_2h(), score.tool_requests_2h()));
    handles.tool_error.Set(score.tool_error().mean());
    handles.alarm.Set(score.tool_alarm_unix_ms() > 0 ? 1 : 0);
    handles.circuit.Set(score.circuit_open_until_unix_ms() > snapshot.computed_unix_ms() ? 1 : 0);
    handles.throughput.Set(score.throughput_tps().p50());
    handles.ttft.Set(score.ttft_ms().p50() / 1e3);
    handles.tier.Set(score.exacto_tier());
  }
  RemoveGone();
}

SnapshotGauges::Handles SnapshotGauges::MakeHandles(const std::string& endpoint) {
  return {
      availability_.With({endpoint}), tool_success_.With({endpoint}), tool_error_.With({endpoint}),
      alarm_.With({endpoint}),        circuit_.With({endpoint}),      throughput_.With({endpoint}),
      ttft_.With({endpoint}),         tier_.With({endpoint}),         0};
}

void SnapshotGauges::RemoveGone() {
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    if (it->second.seen == round_) {
      ++it;
      continue;
    }
    const absl::string_view label[] = {it->first};
    for (obs::GaugeFamily* family : {&availability_, &tool_success_, &tool_error_, &alarm_,
                                     &circuit_, &throughput_, &ttft_, &tier_}) {
      family->Remove(label);
    }
    it = endpoints_.erase(it);
  }
}

}  // namespace signalbox::metrics_aggregator
