// Public benchmark results as a table: one line per endpoint and run.
//
//   model,provider,suite,passed,total,finished
//   z-ai/glm-5,deepinfra/fp8,tau2-airline,41,50,2026-07-07T12:00:00Z
//
// `endpoint` ("z-ai/glm-5@deepinfra/fp8") may stand for model and provider, `accuracy` (0..1) for
// passed, and the optional `cases` says how many different cases are behind `total`. Columns in any
// order, others are ignored; lines starting with # are comments; fields may be quoted.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RESULT_CSV_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RESULT_CSV_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::benchmark {

// The run id is made of the line's content, so that importing a file twice counts it once.
// Error: InvalidArgument with every bad line.
absl::StatusOr<std::vector<metrics::v1::RecordBenchmarkRequest>> ReadResultCsv(
    absl::string_view text);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RESULT_CSV_H_
