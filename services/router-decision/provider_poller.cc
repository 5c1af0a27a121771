#include "services/router-decision/provider_poller.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "common/obs/log.h"

namespace signalbox::router_decision {
namespace {

// Until the first answer nothing can be routed, so it is asked for more often.
constexpr absl::Duration kImpatientInterval = absl::Milliseconds(100);
constexpr absl::Duration kShortestTimeout = absl::Seconds(1);

}  // namespace

// Shared with the timers and answers under way; they do nothing once it is stopped.
class ProviderPoller::State : public std::enable_shared_from_this<State> {
 public:
  State(seam::ProviderAdapter& adapter, Executor& executor, absl::Duration interval,
        SnapshotHolder& snapshots, RouterMetrics metrics, std::function<void()> on_first_answer)
      : adapter_(adapter),
        executor_(executor),
        interval_(interval),
        snapshots_(snapshots),
        metrics_(metrics),
        on_first_answer_(std::move(on_first_answer)) {}

  void Start() {
    executor_.Post([self = shared_from_this()] { self->Guarded([&] { self->Ask(); }); });
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }

 private:
  using Answer = absl::StatusOr<provider::v1::ListProvidersResponse>;

  // The mutex is held while anything of ours runs: that is what Stop waits for.
  template <typename Work>
  void Guarded(Work work) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) work();
  }

  void Ask() {
    adapter_.ListProviders(std::max(interval_, kShortestTimeout), executor_,
                           [self = shared_from_this()](Answer answer) {
                             // Posted, because an adapter in the same process may answer inside the
                             // call, under our mutex.
                             self->executor_.Post([self, answer = std::move(answer)] {
                               self->Guarded([&] { self->Take(answer); });
                             });
                           });
  }

  void Take(const Answer& answer) {
    answer.ok() ? Use(*answer) : Complain(answer.status());
    executor_.RunAfter(answered_ ? interval_ : std::min(interval_, kImpatientInterval),
                       [self = shared_from_this()] { self->Guarded([&] { self->Ask(); }); });
  }

  void Use(const provider::v1::ListProvidersResponse& response) {
    absl::flat_hash_set<std::string> active;
    for (const auto& provider : response.providers()) {
      if (provider.active()) active.insert(provider.slug());
    }
    metrics_.polls_ok.Add();
    metrics_.active_providers.Set(static_cast<double>(active.size()));
    snapshots_.SetActiveProviders(std::move(active));
    failing_ = false;
    if (!std::exchange(answered_, true)) on_first_answer_();
  }

  // Logged once per spell, not once per poll.
  void Complain(const absl::Status& status) {
    metrics_.polls_failed.Add();
    if (std::exchange(failing_, true)) return;
    obs::Log(obs::kWarning, "provider_poll_failed").With("error", status.ToString());
  }

  seam::ProviderAdapter& adapter_;
  Executor& executor_;
  const absl::Duration interval_;
  SnapshotHolder& snapshots_;
  const RouterMetrics metrics_;
  const std::function<void()> on_first_answer_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool answered_ = false;  // these two: on the executor's thread only
  bool failing_ = false;
};

ProviderPoller::ProviderPoller(seam::ProviderAdapter& adapter, Executor& executor,
                               absl::Duration interval, SnapshotHolder& snapshots,
                               RouterMetrics metrics, std::function<void()> on_first_answer)
    : state_(std::make_shared<State>(adapter, executor, interval, snapshots, metrics,
                                     std::move(on_first_answer))) {}

ProviderPoller::~ProviderPoller() { Stop(); }

void ProviderPoller::Start() { state_->Start(); }

void ProviderPoller::Stop() { state_->Stop(); }

}  // namespace signalbox::router_decision
