// The fleet's configuration: which providers exist, how each of their endpoints behaves and what
// changes when. Read from YAML (strict, all errors with path and line) or from a table of public
// measurements (table.h).
//
// Plain values, immutable once handed to a Fleet.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_CONFIG_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/behaviour.h"

namespace signalbox::fleet {

// Facts that play no part in serving: only the emitted catalogue uses them.
struct OfferFacts {
  double price_prompt_per_m = 0;  // USD
  double price_completion_per_m = 0;
  std::string quantization;
};

struct EndpointConfig {
  std::string model;  // "*": any model without an entry of its own
  Behaviour behaviour;
  OfferFacts facts;
};

struct ProviderConfig {
  std::string name;  // first path segment of its base URL
  bool own_port = false;
  Behaviour defaults;  // what endpoints added later (by a table) start from
  std::vector<EndpointConfig> endpoints;
};

// "At `at` seconds, apply `settings` to the endpoints matching provider and model ('*' matches
// all)."
struct ScheduledChange {
  double at = 0;
  std::string provider = "*";
  std::string model = "*";
  std::string settings;  // YAML text, already validated
};

struct FleetConfig {
  uint64_t seed = 1;
  double time_scale = 1;               // > 1: everything that takes time is that much faster
  int keep_requests = 20;              // per provider, for /_fleet/requests
  int64_t keep_body_bytes = 64 << 10;  // of each kept request
  int64_t max_body_bytes = 64 << 20;   // larger requests get 413
  Behaviour defaults;
  std::vector<ProviderConfig> providers;
  std::vector<ScheduledChange> schedule;  // ordered by `at`
};

absl::StatusOr<FleetConfig> ParseFleetConfig(absl::string_view yaml);
absl::StatusOr<FleetConfig> ReadFleetConfig(const std::string& path);
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

// The provider, created when absent.
ProviderConfig& ProviderNamed(absl::string_view name, FleetConfig& config);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_CONFIG_H_
