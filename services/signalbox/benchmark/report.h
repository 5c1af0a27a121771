// A run as a table for people and as JSON for programs.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_REPORT_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_REPORT_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/metrics-aggregator/core/benchmark_signal.h"
#include "services/signalbox/benchmark/plan.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::benchmark {

struct RunInfo {
  std::string suite;
  std::string run_id;
  uint64_t seed = 0;
  absl::Time started;
  absl::Time finished;
};

// One message per endpoint that gave an answer.
std::vector<metrics::v1::RecordBenchmarkRequest> ResultsOf(const RunInfo& run, const Plan& plan);

std::string TableOf(const Plan& plan);
std::string JsonOf(const RunInfo& run, const Plan& plan);
std::string TableOf(const metrics_aggregator::BenchmarkTable& verdicts);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_REPORT_H_
