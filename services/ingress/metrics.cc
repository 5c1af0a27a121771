#include "services/ingress/metrics.h"

#include "absl/strings/string_view.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

constexpr double kNanoPerUsd = 1e9;

// A counter per reason, in a family of one label.
std::vector<obs::Counter> ByReason(obs::CounterFamily& family, absl::string_view unspecified) {
  std::vector<obs::Counter> counters(common::v1::Reason_ARRAYSIZE);
  for (int reason = 0; reason < common::v1::Reason_ARRAYSIZE; ++reason) {
    if (!common::v1::Reason_IsValid(reason)) continue;
    const auto value = static_cast<common::v1::Reason>(reason);
    counters[reason] = family.With(
        {value == common::v1::REASON_UNSPECIFIED ? unspecified : seam::ReasonName(value)});
  }
  return counters;
}

void AddFor(const std::vector<obs::Counter>& counters, common::v1::Reason reason) {
  if (reason >= 0 && reason < static_cast<int>(counters.size())) counters[reason].Add();
}

constexpr absl::string_view kMethodNames[kMethods] = {
    "chat", "models", "model", "endpoints", "count", "providers", "key", "generation", "other"};
constexpr absl::string_view kStatusNames[] = {"2xx", "3xx", "4xx", "5xx"};
constexpr absl::string_view kOutcomeNames[kChatOutcomes] = {"ok", "failed", "refused", "broken",
                                                            "client_gone"};
constexpr absl::string_view kGuardNames[kGuardOutcomes] = {"rescued", "gave_up", "undelivered"};
constexpr absl::string_view kDecisionNames[kDecisionSources] = {"router", "reused", "last",
                                                                "catalogue"};

}  // namespace

IngressMetrics::IngressMetrics(obs::Metrics& metrics)
    : added_latency(metrics
                        .Histogram("signalbox_ingress_added_latency_seconds",
                                   "Time of a chat request spent in the gateway itself.",
                                   obs::LatencyBuckets())
                        .WithNone()),
      ttft(metrics
               .Histogram("signalbox_ingress_ttft_seconds",
                          "Request to first content, as the client sees it.",
                          obs::UpstreamBuckets())
               .WithNone()),
      fallbacks(metrics
                    .Counter("signalbox_ingress_fallbacks_total",
                             "Chats answered by another than the first attempt.")
                    .WithNone()),
      guard_unpaid(metrics
                       .Counter("signalbox_ingress_tool_guard_unpaid_usd_total",
                                "Provider price of answers that were thrown away for their tool "
                                "calls and that no client paid.")
                       .WithNone()),
      shed(metrics
               .Counter("signalbox_ingress_shed_total",
                        "Requests refused because too many were in flight.")
               .WithNone()),
      keepalives(metrics
                     .Counter("signalbox_ingress_keepalives_total",
                              "Keep-alive comments sent to silent streams.")
                     .WithNone()),
      settle_failures(
          metrics
              .Counter("signalbox_ingress_settle_failures_total",
                       "Generation records the store did not take at once; they are retried.")
              .WithNone()),
      settle_dropped(metrics
                         .Counter("signalbox_ingress_settle_dropped_total",
                                  "Generation records lost because the retry journal was full.")
                         .WithNone()) {
  obs::CounterFamily& answers =
      metrics.Counter("signalbox_ingress_requests_total", "Answers by API method and status class.",
                      {"method", "status"});
  for (int method = 0; method < kMethods; ++method) {
    for (int status = 0; status < kStatusClasses; ++status) {
      answers_[method][status] = answers.With({kMethodNames[method], kStatusNames[status]});
    }
  }
  obs::CounterFamily& chats =
      metrics.Counter("signalbox_ingress_chats_total", "Finished chats.", {"outcome"});
  for (int i = 0; i < kChatOutcomes; ++i) chats_[i] = chats.With({kOutcomeNames[i]});
  obs::CounterFamily& guard = metrics.Counter(
      "signalbox_ingress_tool_guard_total",
      "Chats with an answer whose tool calls were refused, by what became of them.", {"outcome"});
  for (int i = 0; i < kGuardOutcomes; ++i) guard_[i] = guard.With({kGuardNames[i]});
  obs::CounterFamily& decisions = metrics.Counter(
      "signalbox_ingress_decisions_total", "Where the order of endpoints came from.", {"kind"});
  for (int i = 0; i < kDecisionSources; ++i) decisions_[i] = decisions.With({kDecisionNames[i]});
  obs::CounterFamily& auth = metrics.Counter("signalbox_ingress_auth_total",
                                             "Key checks by where the answer came from.", {"kind"});
  for (int i = 0; i < kAuthSources; ++i)
    auth_[i] = auth.With({AuthSourceName(static_cast<AuthSource>(i))});
  attempts_ =
      ByReason(metrics.Counter("signalbox_ingress_attempts_total",
                               "Attempts by what ended them; ok = it answered.", {"reason"}),
               "ok");
  errors_ = ByReason(
      metrics.Counter("signalbox_ingress_chat_errors_total",
                      "Chats that ended in an error, by what the client is told.", {"reason"}),
      "other");
  charged_usd_ = &metrics.Counter("signalbox_ingress_charged_usd_total",
                                  "USD charged to clients, mark-up included.", {"provider"});
  provider_usd_ = &metrics.Counter("signalbox_ingress_provider_usd_total",
                                   "USD that providers bill for what was charged.", {"provider"});
  tokens_ =
      &metrics.Counter("signalbox_ingress_tokens_total",
                       "Tokens of settled generations; cached is part of prompt, reasoning of "
                       "completion.",
                       {"provider", "kind"});
  in_flight_limit = metrics
                        .Gauge("signalbox_ingress_in_flight_limit",
                               "Requests in flight beyond which new ones are shed.")
                        .WithNone();
  connections =
      metrics.Gauge("signalbox_ingress_connections", "Client connections open.").WithNone();
  connections_limit = metrics
                          .Gauge("signalbox_ingress_connections_limit",
                                 "Client connections beyond which new ones are closed at once.")
                          .WithNone();
  connections_refused = metrics
                            .Counter("signalbox_ingress_connections_refused_total",
                                     "Client connections closed at once because there were too "
                                     "many.")
                            .WithNone();
  const obs::Gauge in_flight_gauge =
      metrics.Gauge("signalbox_ingress_in_flight", "Requests being answered.").WithNone();
  const obs::Gauge pending_gauge = metrics
                                       .Gauge("signalbox_ingress_settle_pending",
                                              "Generation records not yet taken by the store.")
                                       .WithNone();
  // Conversations and circuits.
  obs::CounterFamily& turns =
      metrics.Counter("signalbox_ingress_conversation_turns_total",
                      "Turns of conversations by what became of their place.", {"kind"});
  turns_[static_cast<int>(Turn::kKept)] = turns.With({"kept"});
  turns_[static_cast<int>(Turn::kPlaced)] = turns.With({"placed"});
  obs::CounterFamily& moved = metrics.Counter("signalbox_ingress_conversations_moved_total",
                                              "Conversations that left an endpoint.", {"reason"});
  turns_[static_cast<int>(Turn::kCircuitOpen)] = moved.With({"circuit_open"});
  turns_[static_cast<int>(Turn::kLeft)] = moved.With({"advised"});
  turns_[static_cast<int>(Turn::kGone)] = moved.With({"not_a_candidate"});
  conversations_failed = moved.With({"failed"});
  circuit_openings = metrics
                         .Counter("signalbox_ingress_circuit_openings_total",
                                  "Circuits that opened, or opened again after a probe.")
                         .WithNone();
  const obs::Gauge circuits_gauge =
      metrics.Gauge("signalbox_ingress_circuits_open", "Endpoints whose circuit is not closed.")
          .WithNone();
  render_hook_ = metrics.OnRender([this, in_flight_gauge, pending_gauge, circuits_gauge] {
    in_flight_gauge.Set(in_flight.load());
    pending_gauge.Set(settle_pending.load());
    circuits_gauge.Set(circuits_open.load());
  });
}

void IngressMetrics::CountAnswer(Method method, int status) const {
  const int status_class = status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3;
  answers_[static_cast<int>(method)][status_class].Add();
}

void IngressMetrics::CountAttempt(common::v1::Reason reason) const { AddFor(attempts_, reason); }
void IngressMetrics::CountError(common::v1::Reason reason) const { AddFor(errors_, reason); }

void IngressMetrics::CountUsage(const std::string& provider, const common::v1::Usage& usage,
                                const Charge& charge) {
  if (tokens_ == nullptr) return;
  Bill bill;
  {
    absl::MutexLock lock(&bills_mutex_);
    const auto [found, first] = bills_.try_emplace(provider);
    if (first) found->second = MakeBill(provider);
    bill = found->second;
  }
  bill.charged_usd.Add(static_cast<double>(charge.charged.value) / kNanoPerUsd);
  bill.provider_usd.Add(
      static_cast<double>(charge.provider_prompt.value + charge.provider_completion.value) /
      kNanoPerUsd);
  bill.prompt.Add(static_cast<double>(usage.prompt_tokens()));
  bill.completion.Add(static_cast<double>(usage.completion_tokens()));
  bill.cached.Add(static_cast<double>(usage.cached_tokens()));
  bill.reasoning.Add(static_cast<double>(usage.reasoning_tokens()));
}

IngressMetrics::Bill IngressMetrics::MakeBill(const std::string& provider) const {
  return {charged_usd_->With({provider}),      provider_usd_->With({provider}),
          tokens_->With({provider, "prompt"}), tokens_->With({provider, "completion"}),
          tokens_->With({provider, "cached"}), tokens_->With({provider, "reasoning"})};
}

}  // namespace signalbox::ingress
