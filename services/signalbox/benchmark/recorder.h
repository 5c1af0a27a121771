// Where results go and can be seen: through an aggregator, or in the Redis that aggregators read.
//
// For command lines: every call blocks. Made and destroyed on the main thread.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RECORDER_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RECORDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/metrics-aggregator/core/benchmark_signal.h"
#include "signalbox/config/v1/config.pb.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::benchmark {

class Recorder {
 public:
  virtual ~Recorder() = default;
  // Tried again a few times while nobody answers: a result is counted once.
  absl::Status Record(const metrics::v1::RecordBenchmarkRequest& result);
  // The verdicts on all endpoints that have results.
  virtual absl::StatusOr<metrics_aggregator::BenchmarkTable> Read() = 0;

 private:
  virtual absl::Status RecordOnce(const metrics::v1::RecordBenchmarkRequest& result) = 0;
};

// `address` is "host:port" of a metrics-aggregator, or of `signalbox serve` with serve.grpc.
std::unique_ptr<Recorder> RecorderAt(const std::string& address);
// The Redis of the scores.
absl::StatusOr<std::unique_ptr<Recorder>> RecorderInStore(const config::v1::Config& config);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_RECORDER_H_
