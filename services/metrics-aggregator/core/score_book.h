// What the publisher knows: the remembered buckets of every endpoint, which of them must be read
// again, and when a snapshot is due. It does no I/O: the caller reads what Plan asks for, hands it
// to Take, and publishes what Build makes.
//
//   for (const ScoreBook::Read& read : book.Plan(news)) … store.Read(read.endpoint, read.buckets,
//   …) → book.Take(…) if (book.PublicationDue(now)) publish(book.Build(version, now));
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SCORE_BOOK_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SCORE_BOOK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/store/window_bucket.h"
#include "services/metrics-aggregator/core/benchmark_signal.h"
#include "services/metrics-aggregator/core/estimator.h"
#include "services/metrics-aggregator/core/exacto_rule.h"
#include "services/metrics-aggregator/core/peers.h"
#include "services/metrics-aggregator/core/window.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

class ScoreBook {
 public:
  struct Options {
    EstimatorOptions estimator;
    ExactoOptions exacto;
    PeerOptions peers;
    size_t max_endpoints = 20'000;  // further ones are not scored
    // Without news a snapshot goes out so often: readers tell a quiet system from a dead one by its
    // age, and old outcomes leave the windows.
    absl::Duration max_age = absl::Seconds(10);
    // Each endpoint's last hours are read again so often: heals a notice of news that was lost with
    // its writer.
    absl::Duration reread_interval = absl::Minutes(5);
  };
  explicit ScoreBook(Options options) : options_(options) {}
  // How the same buckets are read from now on; the next publication is due at once.
  void SetOptions(const Options& options) {
    options_ = options;
    changed_ = true;
  }

  struct Read {
    std::string endpoint;
    std::vector<store::BucketId> buckets;
    bool reaches_back = false;  // at least over the last hours
  };
  // What to read because of the news. New endpoints are read whole; late writes, and a few whose
  // last such read lies longest back, but for the old hours; other endpoints with news only where
  // something may have changed.
  std::vector<Read> Plan(const store::WindowNews& news);
  // `windows` as answered for `read`, asked at `now` (store clock).
  void Take(const Read& read, std::vector<store::WindowCounts> windows, absl::Time now);

  bool PublicationDue(absl::Time now) const;
  // Drops endpoints without anything left in their windows. Endpoints sorted by id.
  metrics::v1::ScoreSnapshot Build(uint64_t version, absl::Time now,
                                   const BenchmarkTable& benchmarks = {});
  void OnPublished(absl::Time now);

  size_t size() const { return endpoints_.size(); }
  int64_t refused() const { return refused_; }

 private:
  struct Entry {
    EndpointWindow window;
    absl::Time last_read = absl::InfinitePast();
    absl::Time last_long_read = absl::InfinitePast();
  };
  Read LongRead(const std::string& endpoint, absl::Time now);
  void CompareCalls(absl::Time now, metrics::v1::ScoreSnapshot* snapshot) const;

  Options options_;
  std::map<std::string, Entry> endpoints_;
  bool changed_ = false;
  absl::Time published_ = absl::InfinitePast();
  int64_t refused_ = 0;
};

// Grows with every publication, also when the store forgot the last one: the store's clock in
// milliseconds, or one more than the last version if that is larger.
uint64_t NextVersion(uint64_t last, absl::Time now);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SCORE_BOOK_H_
