// The metrics-aggregator: takes outcomes from reporters, keeps the sliding windows in Redis, and,
// on the one replica that holds the lease, turns them into scores. Any number of replicas may run;
// each outcome is counted once.
//
// Report, GetScores and RecordBenchmark are thread-safe and never block. Made and destroyed on a
// thread that is not the loop; everything else happens on the loop, which nothing urgent shares.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_AGGREGATOR_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_AGGREGATOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/net/event_loop.h"
#include "common/obs/metrics.h"
#include "common/redis/connection.h"
#include "common/seam/metrics_aggregator.h"
#include "common/store/keys.h"
#include "services/metrics-aggregator/core/score_book.h"
#include "signalbox/config/v1/services.pb.h"

namespace signalbox::metrics_aggregator {

struct AggregatorOptions {
  absl::Duration flush_interval = absl::Milliseconds(500);
  absl::Duration publish_interval = absl::Seconds(1);
  absl::Duration lease = absl::Seconds(5);
  size_t max_entries = 20'000;           // pairs of time and endpoint waiting for the store
  size_t max_queued_outcomes = 200'000;  // handed over and not yet looked at
  ScoreBook::Options book;
};

// Unset fields get the defaults above. Error: InvalidArgument naming the field.
absl::StatusOr<AggregatorOptions> OptionsFromConfig(const config::v1::AggregatorConfig& config);

class Aggregator final : public seam::MetricsAggregator {
 public:
  static constexpr int kMaxOutcomesPerBatch = 10'000;

  // `redis` = how to reach the instance of `connection`, for listening. `metrics` may be nullptr.
  // All outlive this.
  Aggregator(redis::Connection& connection, const redis::Options& redis, const store::Keys& keys,
             const AggregatorOptions& options, const Clock& clock, obs::Metrics* metrics);
  ~Aggregator() override;

  // Error: InvalidArgument = malformed, never send it again; ResourceExhausted = no room now.
  void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) override;
  // What was last published by any replica; version 0 = nothing yet. Error: Unavailable = never
  // seen one, store away.
  void GetScores(absl::Duration timeout,
                 std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)> done) override;

  // From the next publication on. Thread-safe.
  void SetBook(const ScoreBook::Options& options);

  // Brought to the store at once; the replica that publishes reads it within a minute.
  void RecordBenchmark(metrics::v1::RecordBenchmarkRequest result, absl::Duration timeout,
                       std::function<void(absl::Status)> done) override;

  // Before the end: stops publishing, brings what is gathered to the store and gives the lease
  // back, within `limit`. Blocks; not on the loop.
  void Flush(absl::Duration limit);

 private:
  class Core;
  net::EventLoop& loop_;
  const AggregatorOptions options_;
  std::atomic<int64_t> queued_outcomes_{0};
  std::shared_ptr<Core> core_;  // tasks under way hold it weakly
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_AGGREGATOR_H_
