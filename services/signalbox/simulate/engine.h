// One model's traffic under one policy, in virtual time. Everything that decides is the code of the
// services: outcomes are folded into buckets, buckets become scores, scores a snapshot, and the
// router's core ranks (metrics-aggregator/core, router-decision/core). What is simulated is the
// world: arrivals, answers and their lengths, and which calls are broken. Two policies with the
// same seed see the same requests, and the same luck at the same endpoint.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_ENGINE_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_ENGINE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/signalbox/simulate/scenario.h"

namespace signalbox::simulate {

// A run's time is cut into so many parts, for plots.
inline constexpr size_t kParts = 72;

struct Part {
  int64_t requests = 0;
  int64_t errors = 0;
};

struct RunResult {
  int64_t requests = 0;
  int64_t errors = 0;           // broken calls that reached the client
  int64_t attempts = 0;         // calls of providers, those the guard re-issued included
  double price = 0;             // of the delivered answers, USD per million tokens x tokens
  double spent = 0;             // of all attempts
  std::vector<int64_t> chosen;  // deliveries by endpoint
  std::array<Part, kParts> parts;
  int64_t outcomes = 0;
  int64_t false_alarms = 0;  // at endpoints whose error rate had not changed
  int64_t turns = 0;         // of conversations, first ones excluded
  int64_t moved = 0;         // … that another endpoint served than the turn before
  // Only with a break: seconds until the broken endpoint's share was below 10 %, and from its
  // recovery until it was back at half of what it had; absent = not within the simulated time.
  bool broke = false;
  std::optional<double> reaction_seconds;
  std::optional<double> return_seconds;
  int64_t failed_in_break = 0;
};

// `prior` may be empty.
RunResult Simulate(const std::string& model, const std::vector<EndpointRow>& endpoints,
                   const std::vector<EndpointRow>& prior, const Policy& policy,
                   const Scenario& scenario, uint64_t seed);

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_ENGINE_H_
