#include "services/router-decision/core/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "absl/algorithm/container.h"

namespace signalbox::router_decision {
namespace {

using router::v1::ProviderPreferences;
using router::v1::RequestFeatures;

constexpr double kUnknownLast = std::numeric_limits<double>::infinity();

Strategy StrategyOf(const RequestFeatures& features, const ModelChoice& choice,
                    const PolicySettings& policy) {
  switch (choice.sort) {
    case ProviderPreferences::SORT_PRICE:
      return Strategy::kPriceSort;
    case ProviderPreferences::SORT_THROUGHPUT:
      return Strategy::kThroughput;
    case ProviderPreferences::SORT_LATENCY:
      return Strategy::kLatency;
    case ProviderPreferences::SORT_EXACTO:
      return Strategy::kExacto;
    default:
      break;
  }
  const bool tools = features.request_class() == common::v1::REQUEST_CLASS_TOOLS;
  const bool ordered = !features.provider().order().empty();
  return tools && !ordered && policy.auto_exacto ? Strategy::kAutoExacto : Strategy::kPrice;
}

absl::string_view StrategyName(Strategy strategy) {
  switch (strategy) {
    case Strategy::kPrice:
    case Strategy::kPriceSort:
      return "price";
    case Strategy::kThroughput:
      return "throughput";
    case Strategy::kLatency:
      return "latency";
    case Strategy::kExacto:
      return "exacto";
    case Strategy::kAutoExacto:
      return "auto_exacto";
  }
  return "";
}

bool HasTiers(Strategy strategy) {
  return strategy == Strategy::kExacto || strategy == Strategy::kAutoExacto;
}

bool IsDraw(Strategy strategy) { return strategy == Strategy::kPrice || HasTiers(strategy); }

// The times of an exponential clock with rate `weight`: sorting by them is drawing without
// replacement with probability proportional to weight (Efraimidis and Spirakis 2006), one pass
// instead of a draw per place.
double DrawKey(double weight, Rng& rng) { return -std::log1p(-rng.Uniform()) / weight; }

double KeyOf(Strategy strategy, const EndpointFacts& facts, Rng& rng) {
  switch (strategy) {
    case Strategy::kPriceSort:
      return static_cast<double>(facts.order_price_pico);
    case Strategy::kThroughput:
      return facts.throughput_tps > 0 ? -facts.throughput_tps : kUnknownLast;
    case Strategy::kLatency:
      return facts.ttft_ms > 0 ? facts.ttft_ms : kUnknownLast;
    case Strategy::kPrice:
    case Strategy::kExacto:
    case Strategy::kAutoExacto:
      return DrawKey(facts.draw_weight, rng);
  }
  return 0;
}

// What the request would like to have but does not insist on.
class Preferences {
 public:
  explicit Preferences(const RequestFeatures& features)
      : response_format_(absl::c_linear_search(features.parameters(), "response_format") ||
                         absl::c_linear_search(features.parameters(), "structured_outputs")),
        verbosity_(absl::c_linear_search(features.parameters(), "verbosity")) {}
  bool LackedBy(const EndpointFacts& facts) const {
    return (response_format_ && !facts.supports_response_format) ||
           (verbosity_ && !facts.supports_verbosity);
  }

 private:
  const bool response_format_;
  const bool verbosity_;
};

auto GroupOf(const Ranked& ranked) {
  return std::tie(ranked.partition, ranked.order_position, ranked.outage, ranked.lacks_preference,
                  ranked.tier);
}

bool IsBetter(const Ranked& a, const Ranked& b) {
  if (GroupOf(a) != GroupOf(b)) return GroupOf(a) < GroupOf(b);
  if (a.key != b.key) return a.key < b.key;
  return std::tie(a.facts->order_price_pico, a.facts->endpoint->index) <
         std::tie(b.facts->order_price_pico, b.facts->endpoint->index);
}

// Gives the endpoints that can come first in a partition, which are those of its first group, their
// probabilities. [begin, end) is one partition in order.
void SetShares(Ranked* begin, Ranked* end) {
  if (!IsDraw(begin->strategy)) {
    begin->share = 1;
    return;
  }
  Ranked* group_end =
      std::find_if(begin, end, [&](const Ranked& r) { return GroupOf(r) != GroupOf(*begin); });
  double sum = 0;
  for (const Ranked* r = begin; r != group_end; ++r) sum += r->facts->draw_weight;
  for (Ranked* r = begin; r != group_end; ++r) r->share = r->facts->draw_weight / sum;
}

// REQUIRES: in order.
void NumberGroups(Ranked* begin, Ranked* end) {
  int group = 0;
  for (Ranked* ranked = begin; ranked != end; ++ranked) {
    if (ranked != begin && GroupOf(*ranked) != GroupOf(*(ranked - 1))) ++group;
    ranked->group = group;
    ranked->draw_weight = IsDraw(ranked->strategy) ? ranked->facts->draw_weight : 0;
  }
}

class Ranker {
 public:
  Ranker(const Snapshot& snapshot, const RequestFeatures& features, const RequestFilters& filters,
         const ModelChoices& choices, absl::Time now, Rng& rng)
      : snapshot_(snapshot),
        features_(features),
        filters_(filters),
        choices_(choices),
        outage_since_ms_(absl::ToUnixMillis(now - snapshot.policy().outage_window)),
        rng_(rng),
        preferences_(features) {}

  Ranking Run() {
    for (const ModelChoice& choice : choices_) AddModel(choice);
    absl::c_sort(ranking_.candidates, IsBetter);
    NumberGroups(ranking_.candidates.begin(), ranking_.candidates.end());
    ranking_.first_choice_only = NoFallbacks();
    if (ranking_.first_choice_only) KeepFirstChoices();
    ForEachPartition(SetShares);
    ranking_.strategy = features_.provider().order().empty()
                            ? StrategyName(StrategyOf(features_, choices_[0], snapshot_.policy()))
                            : "order";
    return std::move(ranking_);
  }

 private:
  bool Across() const { return features_.provider().sort_across_models(); }
  bool NoFallbacks() const {
    return features_.provider().has_allow_fallbacks() && !features_.provider().allow_fallbacks();
  }

  void AddModel(const ModelChoice& choice) {
    // Endpoints that are sorted together are sorted by one rule.
    const Strategy strategy =
        StrategyOf(features_, Across() ? choices_[0] : choice, snapshot_.policy());
    for (const catalogue::Endpoint* endpoint :
         snapshot_.catalogue().EndpointsOf(choice.model->id())) {
      AddEndpoint(snapshot_.facts(endpoint->index), choice, strategy);
    }
  }

  void AddEndpoint(const EndpointFacts& facts, const ModelChoice& choice, Strategy strategy) {
    Filter filter = filters_.Check(facts, choice);
    const int ordered = features_.provider().order_size();
    const int position = ordered == 0 ? 0 : filters_.OrderPosition(*facts.endpoint);
    if (filter == Filter::kNone && ordered > 0 && position == ordered && NoFallbacks())
      filter = Filter::kOrder;
    if (filter != Filter::kNone) {
      ranking_.excluded.push_back({&facts, &choice, filter});
      return;
    }
    Ranked& ranked = ranking_.candidates.emplace_back();
    ranked.facts = &facts;
    ranked.choice = &choice;
    ranked.strategy = strategy;
    ranked.partition = Across() ? 0 : choice.model_index;
    ranked.order_position = position;
    ranked.outage = facts.last_outage_unix_ms > 0 && facts.last_outage_unix_ms >= outage_since_ms_;
    ranked.lacks_preference = preferences_.LackedBy(facts);
    ranked.tier = HasTiers(strategy) ? static_cast<int>(facts.exacto_tier) : 0;
    ranked.key = KeyOf(strategy, facts, rng_);
  }

  template <typename Visit>
  void ForEachPartition(Visit visit) {
    Ranked* const end = ranking_.candidates.data() + ranking_.candidates.size();
    for (Ranked* begin = ranking_.candidates.data(); begin != end;) {
      Ranked* next = std::find_if(begin, end,
                                  [&](const Ranked& r) { return r.partition != begin->partition; });
      visit(begin, next);
      begin = next;
    }
  }

  // With `order` all endpoints it names are choices; without, the best of each model is the only
  // one.
  void KeepFirstChoices() {
    if (!features_.provider().order().empty()) return;
    auto& candidates = ranking_.candidates;
    size_t kept = 0;
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (kept > 0 && candidates[kept - 1].partition == candidates[i].partition) {
        ranking_.excluded.push_back(
            {candidates[i].facts, candidates[i].choice, Filter::kAllowFallbacks});
      } else {
        candidates[kept++] = candidates[i];
      }
    }
    candidates.resize(kept);
  }

  const Snapshot& snapshot_;
  const RequestFeatures& features_;
  const RequestFilters& filters_;
  const ModelChoices& choices_;
  const int64_t outage_since_ms_;
  Rng& rng_;
  const Preferences preferences_;
  Ranking ranking_;
};

}  // namespace

Ranking Rank(const Snapshot& snapshot, const RequestFeatures& features,
             const RequestFilters& filters, const ModelChoices& choices, absl::Time now, Rng& rng) {
  return Ranker(snapshot, features, filters, choices, now, rng).Run();
}

}  // namespace signalbox::router_decision
