// Carries out a plan against a running Signalbox.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RUNNER_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RUNNER_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "services/signalbox/benchmark/http_fetcher.h"
#include "services/signalbox/benchmark/plan.h"
#include "services/signalbox/benchmark/prompt.h"
#include "signalbox/config/v1/benchmark.pb.h"

namespace signalbox::benchmark {

// What an answer to a case means. An invalid tool call that Signalbox refused to pass on is a wrong
// answer, an outage none.
Finding FindingOf(const config::v1::BenchmarkCase& item, const absl::StatusOr<HttpAnswer>& answer);

// Blocks until everything the plan asks is answered, or, once `stop` is true, what is under way.
// `prompt` gives seed and max_tokens; model and tag are the endpoints'.
void Run(const config::v1::BenchmarkSuite& suite, const PromptOptions& prompt, HttpFetcher& fetcher,
         const std::atomic<bool>& stop, Plan* plan);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RUNNER_H_
