#include "services/metrics-aggregator/aggregator.h"

#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/ids.h"
#include "common/obs/log.h"
#include "common/store/benchmark_store.h"
#include "common/store/snapshot_watcher.h"
#include "services/metrics-aggregator/core/batches.h"
#include "services/metrics-aggregator/flusher.h"
#include "services/metrics-aggregator/metrics.h"
#include "services/metrics-aggregator/publisher.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::ReportRequest;
using metrics::v1::ScoreSnapshot;

constexpr size_t kMaxReporterId = 64;
constexpr absl::Duration kWatchInterval = absl::Seconds(1);
constexpr absl::Duration kFlushPoll = absl::Milliseconds(5);

// Part of a Redis key.
bool IsReporterId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxReporterId &&
         absl::c_all_of(id, [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

absl::Status Check(const ReportRequest& batch) {
  if (!IsReporterId(batch.reporter_id())) {
    return absl::InvalidArgumentError("reporter_id: 1 to 64 letters, digits, - or _");
  }
  if (batch.sequence() == 0) return absl::InvalidArgumentError("sequence: starts at 1");
  if (batch.outcomes_size() > Aggregator::kMaxOutcomesPerBatch) {
    return absl::InvalidArgumentError("outcomes: more than 10,000 in a batch");
  }
  return absl::OkStatus();
}

Batches::Options BatchOptions(const AggregatorOptions& options) {
  Batches::Options batch_options;
  batch_options.max_entries = options.max_entries;
  return batch_options;
}

}  // namespace

class Aggregator::Core {
 public:
  Core(redis::Connection& connection, const redis::Options& redis, const store::Keys& keys,
       const AggregatorOptions& options, const Clock& clock, obs::Metrics* metrics)
      : loop_(connection.loop()),
        options_(options),
        clock_(clock),
        metrics_(metrics != nullptr ? AggregatorMetrics(*metrics) : AggregatorMetrics()),
        owner_(NewRandomHex128()),
        windows_(connection, keys),
        benchmarks_(connection, keys),
        scores_(connection, keys),
        lease_(connection, keys, owner_, options.lease, clock),
        batches_(BatchOptions(options)),
        flusher_(windows_, owner_, batches_, clock, metrics_),
        publisher_(windows_, benchmarks_, scores_, lease_, options.book, clock, metrics_),
        watcher_(
            std::in_place, connection, redis, keys, kWatchInterval,
            [this](const store::SnapshotPtr& snapshot) { OnSnapshot(*snapshot); }, clock) {
    if (metrics == nullptr) return;
    gauges_.emplace(*metrics);
    render_hook_ = metrics->OnRender([this] { ShowAge(); });
  }

  ~Core() {
    render_hook_ = nullptr;
    for (Executor::TimerId timer : {flush_timer_, publish_timer_, lease_timer_})
      loop_.Cancel(timer);
  }

  void Start() {
    OnFlushTimer();
    OnLeaseTimer();
    OnPublishTimer();
  }

  void Take(const ReportRequest& batch) {
    const absl::Duration now = clock_.Monotonic();
    if (!batches_.Admit(batch.reporter_id(), batch.sequence(), now))
      return metrics_.batches_duplicate.Add();
    EndpointDeltas deltas;
    int64_t malformed = 0;
    for (const common::v1::Outcome& outcome : batch.outcomes()) {
      if (IsEndpointId(outcome.endpoint_id())) {
        AddOutcome(outcome, &deltas);
      } else {
        ++malformed;
      }
    }
    metrics_.batches.Add();
    metrics_.outcomes_malformed.Add(static_cast<double>(malformed));
    metrics_.outcomes.Add(static_cast<double>(batch.outcomes_size() - malformed));
    const int64_t dropped_before = batches_.dropped_outcomes();
    batches_.Add(batch.reporter_id(), batch.sequence(), std::move(deltas),
                 batch.outcomes_size() - malformed, now);
    metrics_.outcomes_dropped.Add(
        static_cast<double>(batches_.dropped_outcomes() - dropped_before));
  }

  void SetBook(const ScoreBook::Options& options) { publisher_.SetOptions(options); }

  void CountRefused() { metrics_.batches_refused.Add(); }

  store::SnapshotPtr latest() const { return watcher_->latest(); }
  store::ScoreStore& scores() { return scores_; }

  void Record(const metrics::v1::RecordBenchmarkRequest& result,
              std::function<void(absl::Status)> done) {
    benchmarks_.Record(result, [this, alive = std::weak_ptr<bool>(alive_), result,
                                done = std::move(done)](const absl::Status& status) {
      if (!alive.expired() && status.ok()) {
        publisher_.BenchmarksChanged();
        LogRecorded(result);
      }
      done(status);
    });
  }

  // Ends publishing, so that the lease is not taken again; then runs done when everything gathered
  // is in the store.
  void Finish(std::function<void()> done) {
    loop_.Cancel(std::exchange(publish_timer_, 0));
    loop_.Cancel(std::exchange(lease_timer_, 0));
    FlushAll(std::move(done));
  }

 private:
  static void AddOutcome(const common::v1::Outcome& outcome, EndpointDeltas* deltas) {
    const store::WindowCounts counts = Fold(outcome);
    if (!counts.empty()) (*deltas)[outcome.endpoint_id()].Add(counts);
  }

  static void LogRecorded(const metrics::v1::RecordBenchmarkRequest& result) {
    obs::Log(obs::kInfo, "benchmark_recorded")
        .With("endpoint", result.endpoint_id())
        .With("suite", result.suite())
        .With("run", result.run_id())
        .With("reporter", result.reporter_id())
        .With("passed", result.passed())
        .With("total", result.total())
        .With("cost_nano", result.cost_nano());
  }

  void FlushAll(std::function<void()> done) {
    flusher_.Tick();
    if (flusher_.idle()) return lease_.held() ? lease_.Release(std::move(done)) : done();
    loop_.RunAfter(kFlushPoll, [this, alive = std::weak_ptr<bool>(alive_), done = std::move(done)] {
      if (!alive.expired()) FlushAll(done);
    });
  }

  void OnFlushTimer() {
    flush_timer_ = loop_.RunAfter(options_.flush_interval, [this] { OnFlushTimer(); });
    flusher_.Tick();
  }
  void OnPublishTimer() {
    publish_timer_ = loop_.RunAfter(options_.publish_interval, [this] { OnPublishTimer(); });
    publisher_.Tick();
  }
  void OnLeaseTimer() {
    lease_timer_ = loop_.RunAfter(options_.lease / 3, [this] { OnLeaseTimer(); });
    publisher_.RenewLease();
  }

  void OnSnapshot(const ScoreSnapshot& snapshot) {
    metrics_.snapshot_version.Set(static_cast<double>(snapshot.version()));
    if (gauges_.has_value()) gauges_->Show(snapshot);
  }

  void ShowAge() {
    const absl::Duration age = watcher_->age();
    metrics_.snapshot_age_seconds.Set(age == absl::InfiniteDuration() ? -1
                                                                      : absl::ToDoubleSeconds(age));
  }

  net::EventLoop& loop_;
  const AggregatorOptions options_;
  const Clock& clock_;
  const AggregatorMetrics metrics_;
  const std::string owner_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  store::WindowStore windows_;
  store::BenchmarkStore benchmarks_;
  store::ScoreStore scores_;
  store::Lease lease_;
  Batches batches_;
  Flusher flusher_;
  Publisher publisher_;
  std::optional<SnapshotGauges> gauges_;
  Executor::TimerId flush_timer_ = 0;
  Executor::TimerId publish_timer_ = 0;
  Executor::TimerId lease_timer_ = 0;
  std::optional<store::SnapshotWatcher> watcher_;
  std::shared_ptr<void> render_hook_;
};

Aggregator::Aggregator(redis::Connection& connection, const redis::Options& redis,
                       const store::Keys& keys, const AggregatorOptions& options,
                       const Clock& clock, obs::Metrics* metrics)
    : loop_(connection.loop()), options_(options) {
  loop_.RunAndWait([&] {
    core_ = std::make_shared<Core>(connection, redis, keys, options, clock, metrics);
    core_->Start();
  });
}

Aggregator::~Aggregator() {
  loop_.RunAndWait([this] { core_ = nullptr; });
}

void Aggregator::Report(ReportRequest batch, std::function<void(absl::Status)> done) {
  absl::Status checked = Check(batch);
  const int64_t outcomes = batch.outcomes_size();
  if (checked.ok() &&
      queued_outcomes_.load() + outcomes > static_cast<int64_t>(options_.max_queued_outcomes)) {
    checked = absl::ResourceExhaustedError("aggregator: too many outcomes waiting");
  }
  if (!checked.ok()) {
    core_->CountRefused();
    return done(checked);
  }
  queued_outcomes_ += outcomes;
  auto shared = std::make_shared<ReportRequest>(std::move(batch));
  loop_.Post([this, core = std::weak_ptr<Core>(core_), shared, outcomes, done = std::move(done)] {
    const std::shared_ptr<Core> alive = core.lock();
    if (alive == nullptr) return done(absl::UnavailableError("aggregator: stopped"));
    queued_outcomes_ -= outcomes;
    alive->Take(*shared);
    done(absl::OkStatus());
  });
}

void Aggregator::GetScores(
    absl::Duration /*timeout: the store's own deadline is shorter than any caller's*/,
    std::function<void(absl::StatusOr<ScoreSnapshot>)> done) {
  loop_.Post([core = std::weak_ptr<Core>(core_), done = std::move(done)] {
    const std::shared_ptr<Core> alive = core.lock();
    if (alive == nullptr) return done(absl::UnavailableError("aggregator: stopped"));
    const store::SnapshotPtr latest = alive->latest();
    if (latest != nullptr) return done(*latest);
    alive->scores().Read([done](absl::StatusOr<std::optional<store::ScoreStore::Stored>> stored) {
      if (!stored.ok())
        return done(absl::UnavailableError(absl::StrCat("scores: ", stored.status().message())));
      done(stored->has_value() ? *(*stored)->snapshot : ScoreSnapshot());
    });
  });
}

void Aggregator::SetBook(const ScoreBook::Options& options) {
  loop_.Post([core = std::weak_ptr<Core>(core_), options] {
    if (const std::shared_ptr<Core> alive = core.lock()) alive->SetBook(options);
  });
}

void Aggregator::RecordBenchmark(
    metrics::v1::RecordBenchmarkRequest result,
    absl::Duration /*timeout: the store's own deadline is shorter than any caller's*/,
    std::function<void(absl::Status)> done) {
  auto shared = std::make_shared<metrics::v1::RecordBenchmarkRequest>(std::move(result));
  loop_.Post([core = std::weak_ptr<Core>(core_), shared, done = std::move(done)] {
    const std::shared_ptr<Core> alive = core.lock();
    if (alive == nullptr) return done(absl::UnavailableError("aggregator: stopped"));
    alive->Record(*shared, done);
  });
}

void Aggregator::Flush(absl::Duration limit) {
  auto flushed = std::make_shared<absl::Notification>();
  loop_.Post([core = std::weak_ptr<Core>(core_), flushed] {
    if (const std::shared_ptr<Core> alive = core.lock())
      alive->Finish([flushed] { flushed->Notify(); });
  });
  flushed->WaitForNotificationWithTimeout(limit);
}

}  // namespace signalbox::metrics_aggregator
