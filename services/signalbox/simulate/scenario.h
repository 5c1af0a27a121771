// What is simulated: one model's endpoints, its requests, and what goes wrong when.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_SCENARIO_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_SCENARIO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "services/metrics-aggregator/core/estimator.h"
#include "services/router-decision/core/policy_settings.h"
#include "services/signalbox/simulate/table.h"

namespace signalbox::simulate {

// From `at_seconds` on an endpoint has another error rate or capacity.
struct Event {
  double at_seconds = 0;
  std::string provider;
  double tool_error = -1;          // -1 = the table's
  double requests_per_second = 0;  // above it the endpoint answers 429; 0 = no limit
};

struct Scenario {
  double rate = 1;  // requests with tools per second and model
  double hours = 6;
  bool break_favourite = false;  // at half time the favourite breaks for break_seconds
  double break_error = 0.5;
  double break_seconds = 1200;
  double conversation_share = 0;  // of requests that are turns of a conversation
  double conversation_turns = 8;  // on average
  std::vector<Event> events;      // by time
  std::vector<double> arrivals;   // seconds; replaces rate when not empty

  // Output tokens of an answer: log-normal.
  double median_tokens = 200;
  double sigma_tokens = 0.8;
  // Of the failures of a call those that lie in the prompt: every other endpoint fails as well.
  double inherent_failures = 0.25;
  int max_reissues = 3;
  // From the end of an answer until its outcome can be in a score: report, flush, reuse of the
  // decision before (the publication's second comes on top).
  double pipeline_seconds = 1.2;
  // What is stored of the time before: outcomes per endpoint, and how long ago they ended.
  double prior_outcomes = 500;
  double prior_age_hours = 24;
};

enum class PolicyKind {
  kPrice,       // weight 1 / price^2
  kCheapest,    // the lowest price
  kDocumented,  // the published rule, price-first inside a tier
  kSuccess,     // the published rule, best measured success first inside a tier
  kExacto,      // Signalbox' Auto Exacto
  kOracle,      // knows every current error rate
};

struct Policy {
  std::string name;
  PolicyKind kind = PolicyKind::kPrice;
  bool guard = false;  // an invalid call is tried elsewhere before the client sees it
  router_decision::PolicySettings settings;
  metrics_aggregator::EstimatorOptions estimator;
};

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_SCENARIO_H_
