// The order in which endpoints are tried.
//
// An endpoint's standing is compared in this sequence; the first difference decides:
//   1. model         models in the order of the request (not with sort_across_models)
//   2. order         position in `provider.order`; endpoints not named in it come after those that
//   are
//   3. outage        a significant outage within the outage window goes last, whatever the strategy
//   4. preference    response_format and verbosity of the request supported, also without
//   require_parameters
//   5. tier          Auto Exacto and exacto: good, insufficient data, deprioritised
//   6. strategy      price, auto_exacto, exacto: a weighted draw without replacement, weight 1 /
//   price^2
//                    sort by price, throughput, latency: the value, unknown after known, then the
//                    price
// Requests with tools are ordered by Auto Exacto unless the request sorts or orders. How the
// published rule orders within a tier is not public; here the price-first draw does.
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
  bool outage = false;
  bool lacks_preference = false;
  int tier = 0;
  double key = 0;  // lower is better

  // Probability of being first among the endpoints of its model (of all, when sorted across
  // models).
  double share = 0;
  // Endpoints of equal standing, numbered from the best; within a group the draw decides, with this
  // weight (0 = no draw).
  int group = 0;
  double draw_weight = 0;
};

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
};

// REQUIRES: snapshot.ready(); choices is not empty and made from the snapshot's catalogue. The
// ranking points into both.
Ranking Rank(const Snapshot& snapshot, const router::v1::RequestFeatures& features,
             const RequestFilters& filters, const ModelChoices& choices, absl::Time now, Rng& rng);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_POLICY_H_
