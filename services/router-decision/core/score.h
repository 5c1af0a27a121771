// From what is known of an endpoint to what routing compares: the score of Auto Exacto and the
// adjusted price of price-first. docs/routing.md explains every term.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SCORE_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SCORE_H_

#include "services/router-decision/core/lottery.h"
#include "services/router-decision/core/policy_settings.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::router_decision {

// An endpoint as the score sees it; what nobody has measured is filled in with the priors.
struct Standing {
  double tool_error = 0;         // expected
  double tool_error_weight = 1;  // outcomes that is worth
  double failure = 0;            // expected
  double rate_limited = 0;
  double call_excess = 0;
  double price = 0;           // what it really costs, any unit; 0 = free
  double throughput_tps = 0;  // 0 = unknown
  bool benchmark_low = false;
  bool tool_alarm = false;
  bool on_probation = true;
};

// `score` may be nullptr: nothing was published of the endpoint.
Standing StandingOf(const metrics::v1::EndpointScore* score,
                    const metrics::v1::ScoreSnapshot* snapshot, double list_price,
                    const PolicySettings& policy);

// What an endpoint's price and speed are compared with.
struct Peers {
  double lowest_price = 0;  // of those that cost something; 0 = all are free
  double median_tps = 0;    // 0 = unknown
};

// The score's distribution, in units of tool-call error probability.
Lottery::Ticket TicketOf(const Standing& standing, const Peers& peers, const ScoreWeights& weights,
                         double certainty);

// The price with what an answer that fails, comes late or holds a broken tool call costs the client
// priced in.
double AdjustedPrice(const Standing& standing, const Peers& peers,
                     const AdjustedPriceSettings& settings, bool tools);

// True when the endpoint is, with 90 % certainty, worse than the other by more than one broken tool
// call in a hundred.
bool ClearlyWorse(const Standing& standing, const Standing& best);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SCORE_H_
