// Publishes the scores while it holds the lease: asks what is new, reads those buckets, computes,
// stores the snapshot. Replicas that do not hold the lease remember nothing and read nothing.
//
// Only on the store's loop.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_PUBLISHER_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_PUBLISHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/store/benchmark_store.h"
#include "common/store/lease.h"
#include "common/store/score_store.h"
#include "common/store/window_store.h"
#include "services/metrics-aggregator/core/benchmark_signal.h"
#include "services/metrics-aggregator/core/score_book.h"
#include "services/metrics-aggregator/metrics.h"

namespace signalbox::metrics_aggregator {

class Publisher {
 public:
  // All references outlive the publisher.
  Publisher(store::WindowStore& windows, store::BenchmarkStore& benchmarks,
            store::ScoreStore& scores, store::Lease& lease, ScoreBook::Options options,
            const Clock& clock, const AggregatorMetrics& metrics);

  // Takes or renews the lease; to be called a few times per life of the lease.
  void RenewLease();
  // Publishes if there is reason to, unless a publication is under way.
  void Tick();
  void SetOptions(const ScoreBook::Options& options) {
    options_ = options;
    if (book_.has_value()) book_->SetOptions(options);
  }
  // Reads the benchmarks with the next publication; otherwise they are read once a minute.
  void BenchmarksChanged() { next_benchmarks_ = absl::ZeroDuration(); }

 private:
  struct Reading;  // the reads of one publication

  void ReadBenchmarks();
  void ReadNews();
  void OnNews(const store::WindowNews& news);
  void ReadNext(std::shared_ptr<Reading> reading);
  void OnRead(std::shared_ptr<Reading> reading, const ScoreBook::Read& read,
              absl::StatusOr<std::vector<store::WindowCounts>> windows);
  void Publish(absl::Time now);
  void OnPublished(uint64_t version, absl::Time now, const absl::Status& status);
  void AskForVersion();
  void Fail(const absl::Status& status);
  void Forget();

  store::WindowStore& windows_;
  store::BenchmarkStore& benchmarks_;
  store::ScoreStore& scores_;
  store::Lease& lease_;
  ScoreBook::Options options_;
  const Clock& clock_;
  const AggregatorMetrics& metrics_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::optional<ScoreBook> book_;  // while the lease is held
  store::BenchmarkResults benchmark_results_;
  BenchmarkTable benchmark_table_;                         // made of them
  absl::Duration next_benchmarks_ = absl::ZeroDuration();  // monotonic; 0 = now
  absl::Time since_ = absl::UnixEpoch();
  uint64_t last_version_ = 0;
  bool busy_ = false;
  bool renewing_ = false;
  absl::Duration started_;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_PUBLISHER_H_
