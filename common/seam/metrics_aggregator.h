// The seam to the aggregator. Implemented by metrics-aggregator itself (direct) and by seam_grpc's
// client stub.
#ifndef SIGNALBOX_COMMON_SEAM_METRICS_AGGREGATOR_H_
#define SIGNALBOX_COMMON_SEAM_METRICS_AGGREGATOR_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::seam {

class MetricsAggregator {
 public:
  virtual ~MetricsAggregator() = default;
  // Hands a batch over. `done` runs once, on any thread, possibly inside the call: OK = taken (it
  // may still be lost with the aggregator's process before its next flush), otherwise the caller
  // may send the same batch again under the same sequence. Never blocks. Thread-safe.
  virtual void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) = 0;
  // The scores last published. `done` runs once on any thread.
  virtual void GetScores(absl::Duration timeout,
                         std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)> done) = 0;
  // Keeps the result of a benchmark run at one endpoint; repeating it changes nothing. `done` runs
  // once on any thread. Error: InvalidArgument = malformed, or ended more than 32 days ago;
  // Unavailable = not kept, send it again.
  virtual void RecordBenchmark(metrics::v1::RecordBenchmarkRequest result, absl::Duration timeout,
                               std::function<void(absl::Status)> done) = 0;
};

// Where the adapter drops what it learnt. Thread-safe, never blocks, may drop (and counts it).
class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  virtual void Report(common::v1::Outcome outcome) = 0;
};

}  // namespace signalbox::seam

#endif  // SIGNALBOX_COMMON_SEAM_METRICS_AGGREGATOR_H_
