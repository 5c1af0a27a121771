#include "services/router-decision/core/explain.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/money.h"

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

bool HasTiers(const Ranked& ranked) {
  return ranked.strategy == Strategy::kExacto || ranked.strategy == Strategy::kAutoExacto;
}

absl::string_view TierName(const Ranked& ranked) {
  if (ranked.outage) return "outage";
  if (!HasTiers(ranked)) return "stable";
  switch (ranked.facts->exacto_tier) {
    case metrics::v1::EXACTO_TIER_GOOD:
      return "good";
    case metrics::v1::EXACTO_TIER_DEPRIORITISED:
      return "deprioritised";
    default:
      return "insufficient_data";
  }
}

std::string Price(const Ranked& ranked) {
  return absl::StrCat("price ", PicoToDecimal(ranked.facts->order_price_pico), " USD per token");
}

std::string Measured(absl::string_view what, double value, absl::string_view unit) {
  if (value <= 0) return absl::StrCat(what, " unknown: after the known ones");
  return absl::StrFormat("%s %.1f %s", what, value, unit);
}

std::string StrategyReason(const Ranked& ranked) {
  switch (ranked.strategy) {
    case Strategy::kThroughput:
      return Measured("throughput", ranked.facts->throughput_tps, "tokens/s");
    case Strategy::kLatency:
      return Measured("time to first token", ranked.facts->ttft_ms, "ms");
    case Strategy::kPriceSort:
      return Price(ranked);
    case Strategy::kPrice:
    case Strategy::kExacto:
    case Strategy::kAutoExacto:
      return absl::StrFormat("%s, share %.3f of the draw", Price(ranked), ranked.share);
  }
  return "";
}

std::string Reason(const Ranked& ranked, absl::Time now) {
  std::string reason;
  if (ranked.outage) {
    const absl::Duration ago = now - absl::FromUnixMillis(ranked.facts->last_outage_unix_ms);
    absl::StrAppendFormat(&reason, "significant outage %d s ago; ", absl::ToInt64Seconds(ago));
  }
  if (ranked.lacks_preference)
    absl::StrAppend(&reason, "does not support every parameter asked for; ");
  if (HasTiers(ranked)) {
    const metrics::v1::EndpointScore* score = ranked.facts->score;
    if (score == nullptr) absl::StrAppend(&reason, "no data; ");
    if (score != nullptr && !score->exacto_reason().empty())
      absl::StrAppend(&reason, score->exacto_reason(), "; ");
  }
  absl::StrAppend(&reason, StrategyReason(ranked));
  return reason;
}

void FillScore(const Ranked& ranked, absl::Time now, Score& out) {
  out.set_share(ranked.share);
  out.set_tier(std::string(TierName(ranked)));
  out.set_order_price_pico(ranked.facts->order_price_pico);
  out.set_throughput_tps(ranked.facts->throughput_tps);
  out.set_ttft_ms(ranked.facts->ttft_ms);
  const metrics::v1::EndpointScore* score = ranked.facts->score;
  out.set_availability(score == nullptr ? kNoData
                                        : SuccessRate(score->attempts_5m(), score->failures_5m()));
  out.set_tool_success(score == nullptr
                           ? kNoData
                           : SuccessRate(score->tool_requests_2h(), score->tool_failures_2h()));
  out.set_benchmark(score == nullptr ? kNoData : score->benchmark());
  out.set_reason(Reason(ranked, now));
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
    if (detail == Detail::kExplanation) FillScore(ranked, now, *candidate.mutable_score());
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
