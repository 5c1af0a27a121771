#include "services/metrics-aggregator/core/estimator.h"

#include <algorithm>
#include <string>

#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {
namespace {

using store::Count;
using store::Resolution;
using store::WindowCounts;

constexpr double kNoBenchmark = -1;

int64_t Attempts(const WindowCounts& counts) { return counts[Count::kOk] + counts[Count::kFail]; }

bool IsOutage(const WindowCounts& counts, const EstimatorOptions& options) {
  const int64_t failures = counts[Count::kFail];
  return failures >= options.outage_min_failures &&
         static_cast<double>(failures) >=
             options.outage_failure_share * static_cast<double>(Attempts(counts));
}

// The end of the last bucket with an outage, at most now: an outage counts from when it was last
// seen.
int64_t LastOutageMillis(const EndpointWindow& window, absl::Time now,
                         const EstimatorOptions& options) {
  absl::Time last = absl::UnixEpoch();
  for (const auto& [id, counts] : window.Buckets(Resolution::kTenSeconds)) {
    if (IsOutage(*counts, options)) last = std::min(id.end(), now);
  }
  return absl::ToUnixMillis(last);
}

}  // namespace

metrics::v1::EndpointScore Estimate(absl::string_view endpoint_id, const EndpointWindow& window,
                                    absl::Time now, const EstimatorOptions& options) {
  const WindowCounts minutes_5 = window.SumCounts(Resolution::kTenSeconds, absl::Minutes(5), now);
  const WindowCounts minutes_30 = window.Sum(Resolution::kMinute, absl::Minutes(30), now);
  const WindowCounts hours_2 = window.SumCounts(Resolution::kMinute, absl::Hours(2), now);
  const WindowCounts day = window.SumCounts(Resolution::kHour, absl::Hours(24), now);
  metrics::v1::EndpointScore score;
  score.set_endpoint_id(std::string(endpoint_id));
  score.set_attempts_5m(Attempts(minutes_5));
  score.set_failures_5m(minutes_5[Count::kFail]);
  score.set_rate_limited_5m(minutes_5[Count::kRateLimited]);
  score.set_attempts_30m(Attempts(minutes_30));
  score.set_failures_30m(minutes_30[Count::kFail]);
  score.set_requests_30m(minutes_30[Count::kRequests]);
  score.set_attempts_1d(Attempts(day));
  score.set_failures_1d(day[Count::kFail]);
  score.set_last_outage_unix_ms(LastOutageMillis(window, now, options));
  score.set_tool_requests_2h(hours_2[Count::kToolRequests]);
  score.set_tool_failures_2h(hours_2[Count::kToolBad]);
  *score.mutable_throughput_tps() = PercentilesOf(minutes_30.throughput);
  *score.mutable_ttft_ms() = PercentilesOf(minutes_30.ttft);
  score.set_benchmark(kNoBenchmark);
  return score;
}

}  // namespace signalbox::metrics_aggregator
