// Runs every model of a table under every policy and seed, and sums up.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_STUDY_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_STUDY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/signalbox/simulate/engine.h"
#include "services/signalbox/simulate/traces.h"

namespace signalbox::simulate {

struct StudyOptions {
  Scenario scenario;
  std::vector<Policy> policies;  // the first is what the others are compared with
  int seeds = 5;
  uint64_t first_seed = 1;
  int min_providers = 4;  // models with fewer are left out
  int threads = 1;
  Traces traces;  // of the models named in it
};

// Means over models, with 95 % bootstrap intervals over models and seeds.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

struct ModelResult {
  std::string model;
  int endpoints = 0;
  double error = 0;    // share of requests whose tool call was broken
  Interval reduction;  // 1 - error / error of the first policy
  double price_ratio = 0;
  double spent_ratio = 0;    // with the attempts the guard made
  double largest_share = 0;  // of one provider
};

struct PolicyResult {
  std::string policy;
  std::vector<ModelResult> models;
  Interval reduction;         // mean over models
  Interval pooled_reduction;  // all requests together
  double error = 0;           // mean over models
  double regret = 0;          // error above the oracle's, when an oracle ran
  bool has_regret = false;
  double price_ratio = 0;  // mean over models
  double spent_ratio = 0;
  double largest_share = 0;
  double false_alarms_per_100k = 0;  // per endpoint and 100,000 outcomes
  double moved_turns = 0;            // share of turns that left the endpoint of the turn before
  int64_t turns = 0;
  // Reaction to a break, seconds; infinite = not within the break.
  int breaks = 0;
  std::optional<double> reaction_p50, reaction_p90, return_p50;
  double failed_in_break = 0;         // median
  std::vector<double> error_by_time;  // mean over models, kParts of them
  double speed = 0;                   // virtual seconds (times models) per second of processor time
};

struct Study {
  std::vector<PolicyResult> policies;
  int models = 0;
  int endpoints = 0;
};

Study RunStudy(const Table& table, const Table& prior, const StudyOptions& options);

std::string ToText(const Study& study);
std::string ToJson(const Study& study, const StudyOptions& options);

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_STUDY_H_
