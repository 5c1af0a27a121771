#include "services/provider-adapter/metrics.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/seam/error_detail.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;

const std::vector<double>& ThroughputBuckets() {
  static const auto* const buckets = new std::vector<double>{
      1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000};
  return *buckets;
}

absl::string_view OutcomeName(v1::Reason failure) {
  if (failure == v1::REASON_UNSPECIFIED) return "ok";
  return failure == v1::REASON_CANCELLED ? "cancelled" : "failed";
}

// "schema_mismatch"
std::string VerdictName(v1::ToolCallVerdict verdict) {
  const std::string& full = v1::ToolCallVerdict_Name(verdict);
  return absl::AsciiStrToLower(absl::string_view(full).substr(sizeof("TOOL_CALL_VERDICT_") - 1));
}

absl::string_view GuardResultName(GuardRuling::Result result) {
  switch (result) {
    case GuardRuling::Result::kPassed:
      return "passed";
    case GuardRuling::Result::kRepaired:
      return "repaired";
    case GuardRuling::Result::kRejected:
      return "rejected";
    case GuardRuling::Result::kNone:
      break;
  }
  return "none";
}

double SecondsOf(int64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }

}  // namespace

AdapterMetrics::AdapterMetrics(obs::Metrics& metrics)
    : metrics_(&metrics),
      attempts_(&metrics.Counter("signalbox_adapter_attempts_total",
                                 "Attempts by how they ended; reason is none for outcome ok.",
                                 {"provider", "outcome", "reason"})),
      verdicts_(&metrics.Counter("signalbox_adapter_tool_verdicts_total",
                                 "Judged answers of requests with tools.",
                                 {"provider", "outcome"})),
      guard_(&metrics.Counter("signalbox_adapter_tool_guard_total",
                              "Answers with tool calls by what the guard did (enforce) or would "
                              "have done (observe).",
                              {"kind", "outcome"})),
      dropped_(&metrics.Counter("signalbox_adapter_outcomes_dropped_total",
                                "Outcomes that never reached the aggregator.", {"reason"})),
      ttft_(
          &metrics.Histogram("signalbox_adapter_ttft_seconds",
                             "Request sent to first content (not streamed: to the response head).",
                             obs::UpstreamBuckets(), {"provider"})),
      throughput_(&metrics.Histogram(
          "signalbox_adapter_throughput_tokens_per_second",
          "Output tokens per second between first content and end of streamed answers.",
          ThroughputBuckets(), {"provider"})),
      duration_(&metrics.Histogram("signalbox_adapter_upstream_seconds",
                                   "Request sent to end of the attempt.", obs::UpstreamBuckets(),
                                   {"provider"})),
      in_flight_(&metrics.Gauge("signalbox_adapter_in_flight", "Attempts at work.", {"provider"})),
      quarantined_(&metrics.Gauge("signalbox_adapter_key_quarantined",
                                  "1 after the provider refused our key or its quota was used up.",
                                  {"provider"})),
      reported_(metrics
                    .Counter("signalbox_adapter_outcomes_reported_total",
                             "Outcomes taken by the aggregator.")
                    .WithNone()),
      pending_(
          metrics.Gauge("signalbox_adapter_outcomes_pending", "Outcomes waiting to be reported.")
              .WithNone()),
      connections_(
          &metrics.Gauge("signalbox_adapter_connections", "Connections to providers.", {"state"})),
      pool_events_(&metrics.Counter("signalbox_adapter_pool_events_total",
                                    "Requests, connections opened and reused, stale retries.",
                                    {"kind"})) {
  // A counter that appears with its first event would hide that event from increase().
  for (const absl::string_view reason : {"queue_full", "not_taken", "drain"})
    dropped_->With({reason});
}

AdapterMetrics::PerProvider AdapterMetrics::Of(const std::string& provider) {
  if (metrics_ == nullptr) return {};
  absl::MutexLock lock(&mutex_);
  const auto [it, is_new] = providers_.try_emplace(provider);
  if (is_new) {
    it->second = {attempts_->With({provider, "ok", "none"}), ttft_->With({provider}),
                  throughput_->With({provider}), duration_->With({provider}),
                  in_flight_->With({provider})};
  }
  return it->second;
}

void AdapterMetrics::AttemptStarted(const std::string& provider) { Of(provider).in_flight.Add(1); }

void AdapterMetrics::AttemptFinished(const std::string& provider, const FinishedAttempt& finished) {
  if (metrics_ == nullptr) return;
  const PerProvider of = Of(provider);
  const v1::Outcome& outcome = finished.outcome;
  of.in_flight.Add(-1);
  of.duration.Observe(SecondsOf(outcome.duration_us()));
  if (outcome.ttft_us() > 0) of.ttft.Observe(SecondsOf(outcome.ttft_us()));
  if (finished.tokens_per_second > 0) of.throughput.Observe(finished.tokens_per_second);
  if (outcome.tool_call_verdict() != v1::TOOL_CALL_VERDICT_UNSPECIFIED) {
    verdicts_->With({provider, VerdictName(outcome.tool_call_verdict())}).Add();
  }
  if (finished.guard_result != GuardRuling::Result::kNone) {
    const bool enforced = finished.guard == provider::v1::TOOL_CALL_GUARD_ENFORCE;
    guard_->With({enforced ? "enforce" : "observe", GuardResultName(finished.guard_result)}).Add();
  }
  if (outcome.failure() == v1::REASON_UNSPECIFIED) {
    of.ok.Add();
  } else {
    AttemptRefused(provider, outcome.failure());
  }
}

void AdapterMetrics::AttemptRefused(const std::string& provider, v1::Reason reason) {
  if (metrics_ != nullptr)
    attempts_->With({provider, OutcomeName(reason), seam::ReasonName(reason)}).Add();
}

void AdapterMetrics::SetQuarantined(const std::string& provider, bool quarantined) {
  if (metrics_ != nullptr) quarantined_->With({provider}).Set(quarantined ? 1 : 0);
}

void AdapterMetrics::OutcomesReported(int64_t count) { reported_.Add(static_cast<double>(count)); }

void AdapterMetrics::OutcomesDropped(absl::string_view reason, int64_t count) {
  if (metrics_ != nullptr) dropped_->With({reason}).Add(static_cast<double>(count));
}

void AdapterMetrics::SetPendingOutcomes(int64_t count) { pending_.Set(static_cast<double>(count)); }

void AdapterMetrics::SetPool(const http::Client::Stats& totals) {
  if (metrics_ == nullptr) return;
  connections_->With({"idle"}).Set(totals.idle);
  connections_->With({"active"}).Set(totals.active);
  const auto count = [this](absl::string_view kind, uint64_t total) {
    const obs::Counter counter = pool_events_->With({kind});
    counter.Add(static_cast<double>(total) - counter.value());
  };
  count("request", totals.requests);
  count("opened", totals.connections_opened);
  count("reused", totals.connections_reused);
  count("stale_retry", totals.stale_retries);
}

std::shared_ptr<void> AdapterMetrics::OnRender(std::function<void()> update) {
  return metrics_ == nullptr ? nullptr : metrics_->OnRender(std::move(update));
}

}  // namespace signalbox::provider_adapter
