// Takes outcomes from the attempts and hands them to the metrics-aggregator in batches. Never
// blocks an attempt, never grows beyond its bound: when the aggregator is away, the oldest outcomes
// are dropped and counted.
//
// One batch is in flight at a time. A batch that was not taken is sent again under the same
// sequence number, with a growing pause; after `max_tries` it is dropped. Sequence numbers are
// given when a batch is made and never reused.
//
// Report is thread-safe. Everything else happens on the executor; the object may be destroyed from
// any thread once no more Report is called, and drops what is left then.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_OUTCOME_REPORTER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_OUTCOME_REPORTER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/rng.h"
#include "common/seam/metrics_aggregator.h"
#include "services/provider-adapter/metrics.h"

namespace signalbox::provider_adapter {

class OutcomeReporter final : public seam::OutcomeSink {
 public:
  struct Options {
    std::string reporter_id;  // random per process start
    size_t max_pending = 100'000;
    size_t batch_size = 1000;
    absl::Duration interval = absl::Milliseconds(200);  // longest wait of an outcome for its batch
    absl::Duration answer_timeout = absl::Seconds(5);   // then a batch counts as not taken
    int max_tries = 8;
    absl::Duration first_pause = absl::Milliseconds(100);
    absl::Duration longest_pause = absl::Seconds(5);
  };

  // All references outlive the reporter, and the executor's tasks.
  OutcomeReporter(Options options, seam::MetricsAggregator& aggregator, Executor& executor,
                  const Clock& clock, Rng rng, AdapterMetrics& metrics);
  ~OutcomeReporter() override;

  void Report(common::v1::Outcome outcome) override;
  // Sends what is pending without waiting for the interval; `done` runs once on the executor, with
  // true when everything was taken, with false when `deadline` has passed. At most one at a time.
  // Thread-safe.
  void Flush(absl::Duration deadline, std::function<void(bool all_taken)> done);

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_OUTCOME_REPORTER_H_
