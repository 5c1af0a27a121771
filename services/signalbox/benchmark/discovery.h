// Which endpoints a model has, as Signalbox's own HTTP API says.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_DISCOVERY_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_DISCOVERY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/signalbox/benchmark/plan.h"

namespace signalbox::benchmark {

// Ids of GET /models.
absl::StatusOr<std::vector<std::string>> ReadModels(absl::string_view body);

// Those endpoints of GET /models/{author}/{slug}/endpoints that take tools, or do not say.
absl::StatusOr<std::vector<Endpoint>> ReadEndpoints(absl::string_view body);

// Does "deepinfra" or "deepinfra/fp8" name the endpoint? An empty list names all.
bool IsWanted(const Endpoint& endpoint, const std::vector<std::string>& providers);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_DISCOVERY_H_
