#include "services/metrics-aggregator/publisher.h"

#include <utility>

#include "common/obs/log.h"

namespace signalbox::metrics_aggregator {
namespace {

using store::WindowStore;

// Endpoints read at the same time: a whole read looks for some 1,100 buckets in one script, about a
// millisecond of the store.
constexpr size_t kReadsAtOnce = 8;
constexpr absl::Duration kBenchmarkInterval = absl::Minutes(1);

}  // namespace

struct Publisher::Reading {
  std::vector<ScoreBook::Read> reads;
  size_t next = 0;
  size_t under_way = 0;
  absl::Time now;
  absl::Status error;
};

Publisher::Publisher(WindowStore& windows, store::BenchmarkStore& benchmarks,
                     store::ScoreStore& scores, store::Lease& lease, ScoreBook::Options options,
                     const Clock& clock, const AggregatorMetrics& metrics)
    : windows_(windows),
      benchmarks_(benchmarks),
      scores_(scores),
      lease_(lease),
      options_(options),
      clock_(clock),
      metrics_(metrics) {}

void Publisher::RenewLease() {
  if (renewing_) return;
  renewing_ = true;
  lease_.TakeOrRenew([this, alive = std::weak_ptr<bool>(alive_)](bool held) {
    if (alive.expired()) return;
    renewing_ = false;
    metrics_.lease_held.Set(held ? 1 : 0);
    if (held && !book_.has_value()) {
      obs::Log(obs::kInfo, "lease_taken").With("lease", lease_.value());
      book_.emplace(options_);
    }
    if (!held && !busy_) Forget();
  });
}

void Publisher::Tick() {
  if (busy_) return;
  if (!lease_.held()) return Forget();
  if (!book_.has_value()) return;
  busy_ = true;
  started_ = clock_.Monotonic();
  if (started_ >= next_benchmarks_) {
    ReadBenchmarks();
  } else {
    ReadNews();
  }
}

void Publisher::ReadBenchmarks() {
  next_benchmarks_ = started_ + kBenchmarkInterval;  // sooner when told so in the meantime
  benchmarks_.ReadAll(
      [this, alive = std::weak_ptr<bool>(alive_)](absl::StatusOr<store::BenchmarkResults> results) {
        if (alive.expired()) return;
        if (!results.ok()) {
          BenchmarksChanged();
          return Fail(results.status());
        }
        if (*results != benchmark_results_) {
          benchmark_results_ = *std::move(results);
          benchmark_table_ = JudgeBenchmarks(benchmark_results_);
        }
        ReadNews();
      });
}

void Publisher::ReadNews() {
  windows_.ReadNews(
      since_, [this, alive = std::weak_ptr<bool>(alive_)](absl::StatusOr<store::WindowNews> news) {
        if (alive.expired()) return;
        if (!news.ok()) return Fail(news.status());
        OnNews(*news);
      });
}

void Publisher::OnNews(const store::WindowNews& news) {
  auto reading = std::make_shared<Reading>();
  reading->reads = book_->Plan(news);
  reading->now = news.now;
  metrics_.endpoints_refused.Set(static_cast<double>(book_->refused()));
  ReadNext(std::move(reading));
}

void Publisher::ReadNext(std::shared_ptr<Reading> reading) {
  while (reading->error.ok() && reading->next < reading->reads.size() &&
         reading->under_way < kReadsAtOnce) {
    const ScoreBook::Read& read = reading->reads[reading->next++];
    ++reading->under_way;
    windows_.Read(read.endpoint, read.buckets,
                  [this, alive = std::weak_ptr<bool>(alive_), reading, &read](auto windows) {
                    if (alive.expired()) return;
                    OnRead(reading, read, std::move(windows));
                  });
  }
  if (reading->under_way > 0) return;
  if (!reading->error.ok()) return Fail(reading->error);
  since_ = reading->now;  // only now: what could not be read is news again
  Publish(reading->now);
}

void Publisher::OnRead(std::shared_ptr<Reading> reading, const ScoreBook::Read& read,
                       absl::StatusOr<std::vector<store::WindowCounts>> windows) {
  --reading->under_way;
  if (windows.ok()) {
    book_->Take(read, *std::move(windows), reading->now);
  } else {
    reading->error = windows.status();
  }
  ReadNext(std::move(reading));
}

void Publisher::Publish(absl::Time now) {
  if (!book_->PublicationDue(now) || !lease_.held()) {
    busy_ = false;
    return;
  }
  const uint64_t version = NextVersion(last_version_, now);
  scores_.Publish(
      lease_.value(), book_->Build(version, now, benchmark_table_),
      [this, alive = std::weak_ptr<bool>(alive_), version, now](const absl::Status& status) {
        if (!alive.expired()) OnPublished(version, now, status);
      });
}

void Publisher::OnPublished(uint64_t version, absl::Time now, const absl::Status& status) {
  if (!status.ok()) {
    Fail(status);
    if (absl::IsAborted(status)) AskForVersion();
    if (absl::IsFailedPrecondition(status)) RenewLease();
    return;
  }
  busy_ = false;
  last_version_ = version;
  book_->OnPublished(now);
  metrics_.publications.Add();
  metrics_.publish_seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - started_));
}

void Publisher::AskForVersion() {
  scores_.ReadVersion(
      [this, alive = std::weak_ptr<bool>(alive_)](absl::StatusOr<uint64_t> version) {
        if (!alive.expired() && version.ok()) last_version_ = *version;
      });
}

// The connection logs that the store is away, once; here it is only counted.
void Publisher::Fail(const absl::Status&) {
  busy_ = false;
  metrics_.publication_failures.Add();
}

void Publisher::Forget() {
  if (!book_.has_value()) return;
  obs::Log(obs::kInfo, "lease_lost").With("lease", lease_.value());
  metrics_.lease_held.Set(0);
  book_.reset();
  since_ = absl::UnixEpoch();
  BenchmarksChanged();
}

}  // namespace signalbox::metrics_aggregator
