#include "services/provider-adapter/outcome_reporter.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/backoff.h"
#include "common/obs/log.h"

namespace signalbox::provider_adapter {

// Shared with the tasks and callbacks under way, which hold it weakly: after the reporter is gone
// they do nothing.
class OutcomeReporter::State : public std::enable_shared_from_this<State> {
 public:
  State(Options options, seam::MetricsAggregator& aggregator, Executor& executor,
        const Clock& clock, Rng rng, AdapterMetrics& metrics)
      : options_(std::move(options)),
        aggregator_(aggregator),
        executor_(executor),
        metrics_(metrics),
        backoff_(options_.first_pause, options_.longest_pause, rng),
        log_every_(absl::Seconds(10), clock) {}

  void Add(common::v1::Outcome outcome) {
    bool wake;
    bool full = false;
    {
      absl::MutexLock lock(&mutex_);
      if (pending_.size() >= options_.max_pending) {
        pending_.pop_front();
        full = true;
      }
      pending_.push_back(std::move(outcome));
      // One wake-up for the first outcome (it starts the interval) and one for a full batch; a full
      // queue is being looked after already.
      wake = !full && (pending_.size() == 1 || pending_.size() == options_.batch_size);
    }
    if (full) metrics_.OutcomesDropped("queue_full", 1);
    if (wake) Post([](State& state) { state.Look(); });
  }

  void Flush(absl::Duration deadline, std::function<void(bool)> done) {
    executor_.Post([weak = weak_from_this(), deadline, done = std::move(done)]() mutable {
      if (const auto state = weak.lock()) state->StartFlush(deadline, std::move(done));
    });
  }

 private:
  template <typename Step>
  void Post(Step step) {
    executor_.Post([weak = weak_from_this(), step] {
      if (const auto state = weak.lock()) step(*state);
    });
  }

  template <typename Step>
  Executor::TimerId After(absl::Duration delay, Step step) {
    return executor_.RunAfter(delay, [weak = weak_from_this(), step] {
      if (const auto state = weak.lock()) step(*state);
    });
  }

  size_t Pending() {
    absl::MutexLock lock(&mutex_);
    return pending_.size();
  }

  // Sends when a batch is due and none is under way.
  void Look() {
    const size_t pending = Pending();
    metrics_.SetPendingOutcomes(static_cast<int64_t>(pending));
    if (busy_) return;
    if (pending == 0) {
      EndFlush(true);
    } else if (pending >= options_.batch_size || flush_done_ != nullptr) {
      SendNext();
    } else if (interval_timer_ == 0) {
      interval_timer_ = After(options_.interval, [](State& state) {
        state.interval_timer_ = 0;
        if (!state.busy_) state.SendNext();
      });
    }
  }

  void SendNext() {
    executor_.Cancel(interval_timer_);
    interval_timer_ = 0;
    batch_.Clear();
    {
      absl::MutexLock lock(&mutex_);
      const size_t count = std::min(pending_.size(), options_.batch_size);
      for (size_t i = 0; i < count; ++i) {
        *batch_.add_outcomes() = std::move(pending_.front());
        pending_.pop_front();
      }
    }
    if (batch_.outcomes().empty()) return;
    batch_.set_reporter_id(options_.reporter_id);
    batch_.set_sequence(++sequence_);
    busy_ = true;
    tries_ = 0;
    backoff_.Reset();
    SendBatch();
  }

  void SendBatch() {
    ++tries_;
    const int64_t call = ++call_;
    answer_timer_ = After(options_.answer_timeout, [call](State& state) {
      state.Answered(call, absl::DeadlineExceededError("no answer"));
    });
    // The answer may come on any thread, even inside the call.
    aggregator_.Report(batch_,
                       [weak = weak_from_this(), &executor = executor_, call](absl::Status status) {
                         executor.Post([weak, call, status = std::move(status)] {
                           if (const auto state = weak.lock()) state->Answered(call, status);
                         });
                       });
  }

  void Answered(int64_t call, const absl::Status& status) {
    if (call != call_) return;  // given up on before
    ++call_;
    executor_.Cancel(answer_timer_);
    if (status.ok()) {
      metrics_.OutcomesReported(batch_.outcomes_size());
      BatchDone();
    } else if (tries_ < options_.max_tries) {
      obs::Log(obs::kWarning, "outcome_report_failed", log_every_).With("status", status);
      After(backoff_.Next(), [](State& state) { state.SendBatch(); });
    } else {
      metrics_.OutcomesDropped("not_taken", batch_.outcomes_size());
      BatchDone();
    }
  }

  void BatchDone() {
    busy_ = false;
    Look();
  }

  void StartFlush(absl::Duration deadline, std::function<void(bool)> done) {
    flush_done_ = std::move(done);
    flush_timer_ = After(deadline, [](State& state) { state.EndFlush(false); });
    Look();
  }

  void EndFlush(bool all_taken) {
    if (flush_done_ == nullptr) return;
    executor_.Cancel(flush_timer_);
    if (!all_taken) {
      metrics_.OutcomesDropped(
          "drain", static_cast<int64_t>(Pending()) + (busy_ ? batch_.outcomes_size() : 0));
    }
    const std::function<void(bool)> done = std::exchange(flush_done_, nullptr);
    done(all_taken);
  }

  const Options options_;
  seam::MetricsAggregator& aggregator_;
  Executor& executor_;
  AdapterMetrics& metrics_;

  absl::Mutex mutex_;
  std::deque<common::v1::Outcome> pending_ ABSL_GUARDED_BY(mutex_);

  // On the executor only.
  Backoff backoff_;
  obs::LogEvery log_every_;
  metrics::v1::ReportRequest batch_;
  uint64_t sequence_ = 0;
  int64_t call_ = 0;
  int tries_ = 0;
  bool busy_ = false;
  Executor::TimerId interval_timer_ = 0;
  Executor::TimerId answer_timer_ = 0;
  Executor::TimerId flush_timer_ = 0;
  std::function<void(bool)> flush_done_;
};

OutcomeReporter::OutcomeReporter(Options options, seam::MetricsAggregator& aggregator,
                                 Executor& executor, const Clock& clock, Rng rng,
                                 AdapterMetrics& metrics)
    : state_(
          std::make_shared<State>(std::move(options), aggregator, executor, clock, rng, metrics)) {}

OutcomeReporter::~OutcomeReporter() = default;

void OutcomeReporter::Report(common::v1::Outcome outcome) { state_->Add(std::move(outcome)); }

void OutcomeReporter::Flush(absl::Duration deadline, std::function<void(bool)> done) {
  state_->Flush(deadline, std::move(done));
}

}  // namespace signalbox::provider_adapter
