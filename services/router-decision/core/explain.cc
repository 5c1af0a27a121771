#include "services/router-decision/core/explain.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/money.h"
#include "services/router-decision/core/preferred_speed.h"

namespace signalbox::router_decision {
namespace {

using router::v1::Candidate;
using router::v1::DecideResponse;
using router::v1::Exclusion;
using router::v1::Score;

constexpr double kNoData = -1;

double SuccessRate(int64_t all, int64_t failures) {
  if (all <= 0) return kNoData;
  return 1.0 - static_cast<double>(failures) / static_cast<double>(all);
}

absl::string_view DocumentedTierName(metrics::v1::ExactoTier tier) {
  switch (tier) {
    case metrics::v1::EXACTO_TIER_GOOD:
      return "good";
    case metrics::v1::EXACTO_TIER_DEPRIORITISED:
      return "deprioritised";
    default:
      return "insufficient_data";
  }
}

absl::string_view UptimeName(UptimeTier uptime) {
  switch (uptime) {
    case UptimeTier::kNormal:
      return "stable";
    case UptimeTier::kDegraded:
      return "degraded";
    case UptimeTier::kFallbackOnly:
      return "fallback_only";
  }
  return "";
}

bool IsExacto(const Ranked& ranked) {
  return ranked.strategy == Strategy::kExacto || ranked.strategy == Strategy::kAutoExacto;
}

absl::string_view TierName(const Ranked& ranked, const PolicySettings& policy) {
  if (ranked.down) return "outage";
  if (ranked.uptime != UptimeTier::kNormal) return UptimeName(ranked.uptime);
  if (!IsExacto(ranked)) return "stable";
  if (policy.documented_exacto) return DocumentedTierName(ranked.facts->exacto_tier);
  if (ranked.facts->standing.tool_alarm) return "alarm";
  return ranked.facts->standing.on_probation ? "probation" : "stable";
}

std::string Price(const Ranked& ranked) {
  return absl::StrCat("price ", PicoToDecimal(ranked.facts->order_price_pico), " USD per token");
}

std::string Measured(absl::string_view what, double value, absl::string_view unit) {
  if (value <= 0) return absl::StrCat(what, " unknown: after the known ones");
  return absl::StrFormat("%s %.1f %s", what, value, unit);
}

// What Auto Exacto's score is made of.
std::string ScoreReason(const Ranked& ranked) {
  const Standing& standing = ranked.facts->standing;
  std::string reason =
      absl::StrFormat("score %.4f: tool-call error %.2f %% expected (worth %.0f outcomes)",
                      ranked.key, 100 * standing.tool_error, standing.tool_error_weight);
  if (standing.call_excess > 0) {
    absl::StrAppendFormat(&reason, ", calls tools %.0f points off its peers",
                          100 * standing.call_excess);
  }
  if (standing.benchmark_low)
    absl::StrAppend(&reason, ", ", ranked.facts->score->benchmark_reason());
  if (standing.rate_limited >= 0.01)
    absl::StrAppendFormat(&reason, ", %.0f %% rate limited", 100 * standing.rate_limited);
  absl::StrAppendFormat(&reason, "; %s, share %.3f of the draw", Price(ranked), ranked.share);
  return reason;
}

std::string StrategyReason(const Ranked& ranked, const PolicySettings& policy) {
  switch (ranked.strategy) {
    case Strategy::kThroughput:
      return Measured("throughput", ranked.facts->throughput_tps, "tokens/s");
    case Strategy::kLatency:
      return Measured("time to first token", ranked.facts->ttft_ms, "ms");
    case Strategy::kPriceSort:
      return Price(ranked);
    case Strategy::kExacto:
    case Strategy::kAutoExacto:
      if (!policy.documented_exacto) return ScoreReason(ranked);
      [[fallthrough]];
    case Strategy::kPrice:
      return absl::StrFormat("%s, share %.3f of the draw", Price(ranked), ranked.share);
  }
  return "";
}

std::string DownReason(const EndpointFacts& facts, absl::Time now) {
  const absl::Duration left = absl::FromUnixMillis(facts.circuit_open_until_unix_ms) - now;
  if (left > absl::ZeroDuration())
    return absl::StrFormat("circuit open for %d s more; ", absl::ToInt64Seconds(left));
  const absl::Duration ago = now - absl::FromUnixMillis(facts.last_outage_unix_ms);
  return absl::StrFormat("significant outage %d s ago; ", absl::ToInt64Seconds(ago));
}

std::string Reason(const Ranked& ranked, const PreferredSpeed& speed, const PolicySettings& policy,
                   absl::Time now) {
  const EndpointFacts& facts = *ranked.facts;
  std::string reason;
  if (ranked.down) absl::StrAppend(&reason, DownReason(facts, now));
  if (ranked.uptime != UptimeTier::kNormal) {
    absl::StrAppendFormat(&reason, "uptime below %d %%; ",
                          ranked.uptime == UptimeTier::kDegraded ? 95 : 80);
  }
  if (ranked.lacks_preference)
    absl::StrAppend(&reason, "does not support every parameter asked for; ");
  if (ranked.misses_speed) absl::StrAppend(&reason, speed.Explain(facts.score), "; ");
  if (IsExacto(ranked)) {
    if (facts.score == nullptr) absl::StrAppend(&reason, "no data; ");
    if (facts.standing.tool_alarm) absl::StrAppend(&reason, "tool calls broke: alarm; ");
    if (policy.documented_exacto && facts.score != nullptr && !facts.score->exacto_reason().empty())
      absl::StrAppend(&reason, facts.score->exacto_reason(), "; ");
  }
  absl::StrAppend(&reason, StrategyReason(ranked, policy));
  return reason;
}

void FillScore(const Ranked& ranked, bool tools, const PreferredSpeed& speed,
               const PolicySettings& policy, absl::Time now, Score& out) {
  const EndpointFacts& facts = *ranked.facts;
  out.set_share(ranked.share);
  out.set_tier(std::string(TierName(ranked, policy)));
  out.set_order_price_pico(facts.order_price_pico);
  out.set_adjusted_price_pico(std::llround((tools ? facts.tools : facts.plain).adjusted_price));
  out.set_throughput_tps(facts.throughput_tps);
  out.set_ttft_ms(facts.ttft_ms);
  const metrics::v1::EndpointScore* score = facts.score;
  out.set_availability(score == nullptr ? kNoData
                                        : SuccessRate(score->attempts_5m(), score->failures_5m()));
  out.set_tool_success(score == nullptr
                           ? kNoData
                           : SuccessRate(score->tool_requests_2h(), score->tool_failures_2h()));
  out.set_benchmark(score == nullptr ? kNoData : score->benchmark());
  if (IsLearned(ranked.strategy, policy)) out.set_score(ranked.key);
  out.set_expected_tool_error(facts.standing.tool_error);
  out.set_evidence(facts.standing.tool_error_weight);
  out.set_reason(Reason(ranked, speed, policy, now));
}

void FillCandidate(const Ranked& ranked, Candidate& out) {
  const catalogue::Endpoint& endpoint = *ranked.facts->endpoint;
  out.set_endpoint_id(endpoint.id);
  out.set_model(endpoint.model->id());
  out.set_provider_name(endpoint.provider->name());
  out.set_provider_slug(endpoint.provider->slug());
  *out.mutable_pricing() = endpoint.pricing;
  out.set_model_index(ranked.choice->model_index);
  out.set_context_length(endpoint.context_length);
  out.set_max_completion_tokens(endpoint.max_completion_tokens);
  out.set_supports_cancellation(endpoint.provider->supports_cancellation());
  out.set_quantization(endpoint.quantization);
  out.set_service_tier(endpoint.config->service_tier());
}

void FillExclusion(const Excluded& excluded, const RequestFilters& filters, Exclusion& out) {
  const catalogue::Endpoint& endpoint = *excluded.facts->endpoint;
  out.set_endpoint_id(endpoint.id);
  out.set_model(endpoint.model->id());
  out.set_provider_slug(endpoint.provider->slug());
  out.set_filter(std::string(FilterName(excluded.filter)));
  out.set_detail(filters.Explain(excluded.filter, *excluded.facts, *excluded.choice));
}

}  // namespace

DecideResponse ToResponse(const Ranking& ranking, const RequestFilters& filters,
                          const Snapshot& snapshot, absl::Time now, Detail detail) {
  DecideResponse response;
  response.mutable_candidates()->Reserve(static_cast<int>(ranking.candidates.size()));
  for (const Ranked& ranked : ranking.candidates) {
    Candidate& candidate = *response.add_candidates();
    FillCandidate(ranked, candidate);
    candidate.set_draw_group(ranked.group);
    candidate.set_draw_weight(ranked.draw_weight);
    candidate.set_conversations_leave(ConversationsLeave(ranked, ranking.tools, snapshot.policy()));
    if (detail == Detail::kExplanation)
      FillScore(ranked, ranking.tools, PreferredSpeed(*ranking.preferences), snapshot.policy(), now,
                *candidate.mutable_score());
  }
  if (detail == Detail::kExplanation || ranking.candidates.empty()) {
    for (const Excluded& excluded : ranking.excluded)
      FillExclusion(excluded, filters, *response.add_excluded());
  }
  response.set_strategy(std::string(ranking.strategy));
  response.set_snapshot_version(snapshot.version());
  response.set_snapshot_age_ms(absl::ToInt64Milliseconds(snapshot.Age(now)));
  // Without fallbacks a drawn decision names one endpoint: to reuse it would send everything there.
  const bool one_draw = !ranking.candidates.empty() && ranking.first_choice_only &&
                        ranking.candidates[0].draw_weight > 0;
  response.set_valid_for_ms(one_draw ? 0 : absl::ToInt64Milliseconds(snapshot.policy().valid_for));
  return response;
}

}  // namespace signalbox::router_decision
