// The published Auto Exacto rule (OpenRouter, "Auto Exacto" and "For providers" section 12, August
// 2026): among the endpoints of a model, one is deprioritised when
//   throughput < median - 1.5 sigma, or tool-call success < median - 2 sigma,
// both over the peers with enough data, sigma = 1.4826 x median absolute deviation. Enough data is
// 100 requests in 30 minutes (throughput) and 200 requests finished with tool calls in 2 hours
// (success); an endpoint without is "insufficient data", which ranks between good and
// deprioritised. With fewer than 4 providers nothing is deranked, and a signal for which fewer than
// 4 providers have enough data judges nobody.
//
// Throughput is measured in cells 10 % wide (sketch.h). Where peers are so alike that sigma is
// below that, one cell takes its place: otherwise a peer would be deranked for lying on the other
// side of a cell's edge.
//
// The third signal is benchmark accuracy: who is significantly below its peers
// (core/benchmark_signal.h) is deprioritised, and where at least 4 providers of a model were
// measured, one that was not has insufficient data. Where fewer were, the signal judges nobody:
// demoting everyone for its absence would say nothing.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_EXACTO_RULE_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_EXACTO_RULE_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

struct ExactoOptions {
  int min_providers = 4;
  int64_t min_requests_30m = 100;
  int64_t min_tool_requests_2h = 200;
  double throughput_sigmas = 1.5;
  double tool_success_sigmas = 2;
  // Least sigma of the throughput signal, as a share of the median: the resolution of the measure.
  double throughput_resolution = 0.1;
};

// Sets tier and reason of the endpoints of one model.
void JudgeModel(absl::Span<metrics::v1::EndpointScore* const> endpoints,
                const ExactoOptions& options);
// The same for every model of the snapshot.
void JudgeSnapshot(const ExactoOptions& options, metrics::v1::ScoreSnapshot* snapshot);

// "z-ai/glm-5@deepinfra/fp8" -> "z-ai/glm-5" and "deepinfra".
absl::string_view ModelOf(absl::string_view endpoint_id);
absl::string_view ProviderOf(absl::string_view endpoint_id);

struct Spread {
  double median = 0;
  double sigma = 0;  // 1.4826 x median absolute deviation
};
// REQUIRES: !values.empty().
Spread SpreadOf(std::vector<double> values);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_EXACTO_RULE_H_
