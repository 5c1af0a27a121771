#include "services/router-decision/core/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/types/span.h"
#include "common/base/rendezvous.h"
#include "services/router-decision/core/preferred_speed.h"
#include "services/router-decision/core/service_tier.h"

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

bool IsExacto(Strategy strategy) {
  return strategy == Strategy::kExacto || strategy == Strategy::kAutoExacto;
}

bool IsDraw(Strategy strategy) { return strategy == Strategy::kPrice || IsExacto(strategy); }

bool SortsExplicitly(Strategy strategy) {
  return strategy == Strategy::kPriceSort || strategy == Strategy::kThroughput ||
         strategy == Strategy::kLatency;
}

absl::Span<const Lottery::Ticket> TicketsOf(Strategy strategy, const EndpointFacts& facts) {
  return strategy == Strategy::kExacto ? facts.scores->exacto_tickets
                                       : facts.scores->auto_exacto_tickets;
}

double KeyOf(Strategy strategy, const EndpointFacts& facts, bool tools,
             const PolicySettings& policy) {
  if (IsLearned(strategy, policy) && facts.scores != nullptr)
    return TicketsOf(strategy, facts)[static_cast<size_t>(facts.seat)].expected();
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
      return (tools ? facts.tools : facts.plain).adjusted_price;
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
  return std::tie(ranked.partition, ranked.order_position, ranked.service_tier, ranked.down,
                  ranked.uptime, ranked.lacks_preference, ranked.misses_speed, ranked.tier);
}

bool IsBetter(const Ranked& a, const Ranked& b) {
  if (GroupOf(a) != GroupOf(b)) return GroupOf(a) < GroupOf(b);
  if (a.key != b.key) return a.key < b.key;
  return std::tie(a.facts->order_price_pico, a.facts->endpoint->index) <
         std::tie(b.facts->order_price_pico, b.facts->endpoint->index);
}

// What the draw of a group's first place goes by. [begin, end) is one group; its draw weights
// become probabilities.
class Draw {
 public:
  Draw(const PolicySettings& policy, bool tools, bool across)
      : policy_(policy), tools_(tools), across_(across) {}

  void Weigh(Ranked* begin, Ranked* end) const {
    if (!IsDraw(begin->strategy)) return;
    if (!IsLearned(begin->strategy, policy_)) return ByPrice(begin, end);
    // The scores of different models' endpoints lie in different lotteries: sorted, not drawn.
    if (across_) return;
    ByShare(begin, end);
  }

 private:
  void ByPrice(Ranked* begin, Ranked* end) const {
    double sum = 0;
    for (Ranked* r = begin; r != end; ++r) {
      r->draw_weight = (tools_ ? r->facts->tools : r->facts->plain).weight;
      sum += r->draw_weight;
    }
    for (Ranked* r = begin; r != end; ++r) r->draw_weight /= sum;
  }

  void ByShare(Ranked* begin, Ranked* end) const {
    absl::InlinedVector<int, 32> seats;
    for (const Ranked* r = begin; r != end; ++r) seats.push_back(r->facts->seat);
    absl::InlinedVector<double, 32> shares(seats.size());
    const ModelScores& scores = *begin->facts->scores;
    (begin->strategy == Strategy::kExacto ? scores.exacto() : scores.auto_exacto)
        .Shares(seats, absl::MakeSpan(shares));
    for (size_t i = 0; i < shares.size(); ++i) begin[i].draw_weight = shares[i];
    CapProbation(begin, end);
    Probe(begin, end);
  }

  // A little goes everywhere, so that nobody is forgotten; more to an endpoint whose alarm stands,
  // so that its recovery is seen.
  void Probe(Ranked* begin, Ranked* end) const {
    const double probe = policy_.probe_share / static_cast<double>(end - begin);
    double sum = 0;
    for (Ranked* r = begin; r != end; ++r) {
      r->draw_weight = (1 - policy_.probe_share) * r->draw_weight + probe;
      if (r->facts->standing.tool_alarm)
        r->draw_weight = std::max(r->draw_weight, policy_.recovery_share);
      sum += r->draw_weight;
    }
    for (Ranked* r = begin; r != end; ++r) r->draw_weight /= sum;
  }

  // What newcomers would have above their cap goes to the others.
  void CapProbation(Ranked* begin, Ranked* end) const {
    double capped = 0;
    double others = 0;
    for (Ranked* r = begin; r != end; ++r) {
      if (!r->facts->standing.on_probation) {
        others += r->draw_weight;
      } else if (r->draw_weight > policy_.probation_share) {
        capped += r->draw_weight - policy_.probation_share;
      }
    }
    if (capped == 0 || others <= 0) return;
    for (Ranked* r = begin; r != end; ++r) {
      r->draw_weight = r->facts->standing.on_probation
                           ? std::min(r->draw_weight, policy_.probation_share)
                           : r->draw_weight * (1 + capped / others);
    }
  }

  const PolicySettings& policy_;
  const bool tools_;
  const bool across_;
};

class Ranker {
 public:
  Ranker(const Snapshot& snapshot, const RequestFeatures& features, const RequestFilters& filters,
         const ModelChoices& choices, absl::Time now, Rng& rng)
      : snapshot_(snapshot),
        features_(features),
        filters_(filters),
        choices_(choices),
        now_ms_(absl::ToUnixMillis(now)),
        outage_since_ms_(absl::ToUnixMillis(now - snapshot.policy().outage_window)),
        tools_(features.request_class() == common::v1::REQUEST_CLASS_TOOLS),
        rng_(rng),
        preferences_(features),
        preferred_speed_(features.provider()) {}

  Ranking Run() {
    for (const ModelChoice& choice : choices_) AddModel(choice);
    absl::c_sort(ranking_.candidates, IsBetter);
    DrawGroups();
    ranking_.tools = tools_;
    ranking_.preferences = &features_.provider();
    ranking_.first_choice_only = NoFallbacks();
    if (ranking_.first_choice_only) KeepFirstChoices();
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
    const PolicySettings& policy = snapshot_.policy();
    Ranked& ranked = ranking_.candidates.emplace_back();
    ranked.facts = &facts;
    ranked.choice = &choice;
    ranked.strategy = strategy;
    ranked.partition = Across() ? 0 : choice.model_index;
    ranked.order_position = position;
    ranked.service_tier = ServiceTierRank(facts.endpoint->config->service_tier(), features_);
    ranked.down = IsDown(facts);
    if (ordered == 0 && !SortsExplicitly(strategy)) ranked.uptime = facts.uptime;
    ranked.lacks_preference = preferences_.LackedBy(facts);
    ranked.misses_speed = preferred_speed_.any() && !preferred_speed_.HeldBy(facts.score);
    if (IsExacto(strategy) && policy.documented_exacto)
      ranked.tier = static_cast<int>(facts.exacto_tier);
    ranked.key = KeyOf(strategy, facts, tools_, policy);
  }

  bool IsDown(const EndpointFacts& facts) const {
    return facts.circuit_open_until_unix_ms > now_ms_ ||
           (facts.last_outage_unix_ms > 0 && facts.last_outage_unix_ms >= outage_since_ms_);
  }

  // Groups are numbered from 0; the first place of each is drawn. Shares are those of the groups
  // that can come first.
  void DrawGroups() {
    const Draw draw(snapshot_.policy(), tools_, Across());
    Ranked* const end = ranking_.candidates.data() + ranking_.candidates.size();
    int group = 0;
    for (Ranked* begin = ranking_.candidates.data(); begin != end; ++group) {
      Ranked* next =
          std::find_if(begin, end, [&](const Ranked& r) { return GroupOf(r) != GroupOf(*begin); });
      const bool leads =
          begin == ranking_.candidates.data() || (begin - 1)->partition != begin->partition;
      draw.Weigh(begin, next);
      DrawFirst(begin, next);
      for (Ranked* r = begin; r != next; ++r) {
        r->group = group;
        if (leads) r->share = r->draw_weight > 0 ? r->draw_weight : (r == begin ? 1 : 0);
      }
      begin = next;
    }
  }

  // Moves the one drawn to the front; the order of the others stays.
  void DrawFirst(Ranked* begin, Ranked* end) {
    if (begin->draw_weight <= 0 && (begin + 1 == end || (begin + 1)->draw_weight <= 0)) return;
    const Rendezvous conversation(features_.session_key());
    Ranked* first = begin;
    double lowest = std::numeric_limits<double>::infinity();
    for (Ranked* r = begin; r != end; ++r) {
      if (r->draw_weight <= 0) continue;
      const double key = DrawKey(*r, conversation);
      if (key < lowest) {
        lowest = key;
        first = r;
      }
    }
    std::rotate(begin, first, first + 1);
  }

  // The times of an exponential clock with rate `weight`: the first to ring is drawn with
  // probability proportional to its weight. A conversation's clocks always ring alike.
  double DrawKey(const Ranked& ranked, const Rendezvous& conversation) {
    if (features_.session_key().empty()) return -std::log1p(-rng_.Uniform()) / ranked.draw_weight;
    return conversation.Key(ranked.facts->endpoint->id, ranked.draw_weight);
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
        candidates[kept] = candidates[i];
        candidates[kept++].share = 1;
      }
    }
    candidates.resize(kept);
  }

  const Snapshot& snapshot_;
  const RequestFeatures& features_;
  const RequestFilters& filters_;
  const ModelChoices& choices_;
  const int64_t now_ms_;
  const int64_t outage_since_ms_;
  const bool tools_;
  Rng& rng_;
  const Preferences preferences_;
  const PreferredSpeed preferred_speed_;
  Ranking ranking_;
};

}  // namespace

bool IsLearned(Strategy strategy, const PolicySettings& policy) {
  return IsExacto(strategy) && !policy.documented_exacto;
}

bool ConversationsLeave(const Ranked& ranked, bool tools, const PolicySettings& policy) {
  return ranked.down || (tools && ranked.facts->standing.tool_alarm) ||
         (IsLearned(ranked.strategy, policy) && ranked.facts->clearly_worse);
}

Ranking Rank(const Snapshot& snapshot, const RequestFeatures& features,
             const RequestFilters& filters, const ModelChoices& choices, absl::Time now, Rng& rng) {
  return Ranker(snapshot, features, filters, choices, now, rng).Run();
}

}  // namespace signalbox::router_decision
