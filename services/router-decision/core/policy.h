// The order in which endpoints are tried.
//
// An endpoint's standing is compared in this sequence; the first difference decides:
//   1. model         models in the order of the request (not with sort_across_models)
//   2. order         position in `provider.order`; endpoints not named in it come after
//   3. service tier  priority endpoints before standard ones, when the request asks for them
//   4. down          an open circuit, or a significant outage within the outage window, goes last,
//                    whatever the strategy
//   5. uptime        at least 95 %, at least 80 %, below; not with explicit sorts or `order`
//   6. preference    response_format and verbosity of the request supported, also without
//                    require_parameters; preferred_min_throughput and preferred_max_latency held
//   7. tier          exacto: documented only: good, insufficient data, deprioritised
//   8. strategy      price: the first is drawn with weight 1 / adjusted price^2, the rest follow by
//                    adjusted price
//                    auto_exacto, exacto: the first is drawn with its share (core/lottery.h), the
//                    rest follow by expected score
//                    sort by price, throughput, latency: the value, unknown after known, then the
//                    price
// A conversation's draw is its own: the same each time, in every replica, as long as the weights
// stay (common/base/rendezvous.h).
// Requests with tools are ordered by Auto Exacto unless the request sorts or orders.
//
// Pure. No allocation up to 32 endpoints. Thread-safe apart from the Rng.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_H_

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/rng.h"
#include "services/router-decision/core/filters.h"
#include "services/router-decision/core/model_choice.h"
#include "services/router-decision/core/snapshot.h"

namespace signalbox::router_decision {

enum class Strategy { kPrice, kPriceSort, kThroughput, kLatency, kExacto, kAutoExacto };

struct Ranked {
  const EndpointFacts* facts = nullptr;
  const ModelChoice* choice = nullptr;
  Strategy strategy = Strategy::kPrice;

  int partition = 0;
  int order_position = 0;
  int service_tier = 0;
  bool down = false;
  UptimeTier uptime = UptimeTier::kNormal;
  bool lacks_preference = false;
  bool misses_speed = false;
  int tier = 0;
  double key = 0;  // lower is better

  // Probability of being first among the endpoints of its model (of all, when sorted across
  // models).
  double share = 0;
  // Endpoints of equal standing, numbered from the best; the first of a group is drawn with this
  // weight (0 = no draw), the others follow in order of their keys.
  int group = 0;
  double draw_weight = 0;
};

// Ordered by learnt shares: what is ranked is a distribution of scores.
bool IsLearned(Strategy strategy, const PolicySettings& policy);

// The draw settles where a conversation starts; this is when one that runs had better move.
bool ConversationsLeave(const Ranked& ranked, bool tools, const PolicySettings& policy);

struct Excluded {
  const EndpointFacts* facts = nullptr;
  const ModelChoice* choice = nullptr;
  Filter filter = Filter::kNone;
};

struct Ranking {
  // Every endpoint of every chosen model is in exactly one of the two.
  absl::InlinedVector<Ranked, 32> candidates;  // best first
  absl::InlinedVector<Excluded, 32> excluded;
  bool first_choice_only = false;  // allow_fallbacks is false
  // price · throughput · latency · exacto · auto_exacto · order, of the first model
  absl::string_view strategy;
  bool tools = false;  // the request offers tools
  const router::v1::ProviderPreferences* preferences =
      nullptr;  // of the request, which outlives this
};

// REQUIRES: snapshot.ready(); choices is not empty and made from the snapshot's catalogue. The
// ranking points into both.
Ranking Rank(const Snapshot& snapshot, const router::v1::RequestFeatures& features,
             const RequestFilters& filters, const ModelChoices& choices, absl::Time now, Rng& rng);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_H_
