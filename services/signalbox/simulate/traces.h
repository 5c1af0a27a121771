// What happens when, for simulations that do not just repeat a rate: arrivals, changes of
// endpoints, and both as an installation recorded them.
//
// Pure but for the Read functions; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TRACES_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TRACES_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/metrics-aggregator/core/tally.h"
#include "services/signalbox/simulate/scenario.h"
#include "services/signalbox/simulate/table.h"

namespace signalbox::simulate {

struct Traces {
  std::map<std::string, std::vector<double>> arrivals;  // seconds, ascending, by model
  std::map<std::string, std::vector<Event>> events;     // by time, by model
};

// CSV with the columns at_s and model: one request each.
absl::Status ParseArrivals(absl::string_view csv, Traces* traces);
// CSV with the columns at_s, model, provider, tool_err_pct (empty = as in the table) and
// requests_per_s (empty = no limit).
absl::Status ParseEvents(absl::string_view csv, Traces* traces);

// An endpoint's recorded hours, ascending.
struct RecordedEndpoint {
  std::string model;
  std::string provider;
  double price = 0;  // USD per million completion tokens
  double throughput_tps = 0;
  std::vector<metrics_aggregator::Tally> hours;
};

// The last day again: each endpoint's error rate changes every hour to what was seen in it (hours
// with few outcomes are drawn towards the day's rate), and each model gets as many requests in an
// hour as its endpoints finished with tool calls. `first_hour` is the index of the first bucket.
struct Recorded {
  Table table;
  Traces traces;
  double hours = 0;
};
Recorded Replay(const std::vector<RecordedEndpoint>& endpoints, int64_t first_hour, int hours,
                uint64_t seed);

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TRACES_H_
