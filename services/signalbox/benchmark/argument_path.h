// Where in a call's arguments a value lies: "city", "items[1].count", "[0]".
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_ARGUMENT_PATH_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_ARGUMENT_PATH_H_

#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::benchmark {

// A member when it has a name, otherwise an index.
struct PathStep {
  std::string member;
  size_t index = 0;
};

// Error: InvalidArgument saying what is wrong.
absl::StatusOr<std::vector<PathStep>> ParsePath(absl::string_view path);

// The value at the path; nullopt when it is not there, or null.
std::optional<simdjson::dom::element> ValueAt(simdjson::dom::element root,
                                              const std::vector<PathStep>& path);

// Paths of the values in `root` that none of `covered` names or contains. Nulls and empty objects
// and lists are no values.
std::vector<std::string> UncoveredPaths(simdjson::dom::element root,
                                        const std::vector<std::string>& covered);

// The same value: members in any order, 1 and 1.0 alike.
bool SameJson(simdjson::dom::element a, simdjson::dom::element b);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_ARGUMENT_PATH_H_
