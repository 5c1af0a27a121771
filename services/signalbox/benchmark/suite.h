// A suite as it lies in a YAML file: read strictly, checked as a whole.
//
// Blocks on file reads. Thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_SUITE_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_SUITE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "signalbox/config/v1/benchmark.pb.h"

namespace signalbox::benchmark {

// Error: InvalidArgument with every problem, its line and its path.
absl::StatusOr<config::v1::BenchmarkSuite> LoadSuite(const std::string& path);
// The same from text; `name` stands for the file in problems.
absl::StatusOr<config::v1::BenchmarkSuite> ParseSuite(absl::string_view yaml,
                                                      absl::string_view name);

// "right_tool", "no_call", …
std::string KindName(config::v1::BenchmarkKind kind);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_SUITE_H_
