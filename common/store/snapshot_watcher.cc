#include "common/store/snapshot_watcher.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/obs/log.h"
#include "common/redis/subscription.h"

namespace signalbox::store {

class SnapshotWatcher::Core {
 public:
  Core(redis::Connection& connection, const redis::Options& options, const Keys& keys,
       absl::Duration interval, OnChange on_change, const Clock& clock)
      : loop_(connection.loop()),
        store_(connection, keys),
        interval_(interval),
        on_change_(std::move(on_change)),
        clock_(clock),
        subscription_(loop_, options, {keys.ScoresChannel()}, MakeHandlers(), clock) {
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) OnTimer();
    });
  }
  ~Core() { loop_.Cancel(timer_); }

  SnapshotPtr latest() const {
    absl::MutexLock lock(&mutex_);
    return latest_;
  }

  absl::Duration age() const {
    absl::MutexLock lock(&mutex_);
    return latest_ == nullptr ? absl::InfiniteDuration() : clock_.Monotonic() - computed_;
  }

 private:
  redis::Subscription::Handlers MakeHandlers() {
    redis::Subscription::Handlers handlers;
    handlers.on_message = [this](absl::string_view, absl::string_view) { Fetch(); };
    handlers.on_listening = [this](bool listening) {
      if (listening) Fetch();
    };
    return handlers;
  }

  void OnTimer() {
    timer_ = loop_.RunAfter(interval_, [this] { OnTimer(); });
    store_.ReadVersion(
        [this, alive = std::weak_ptr<bool>(alive_)](absl::StatusOr<uint64_t> version) {
          if (alive.expired() || !version.ok()) return;
          if (*version != 0 && *version != version_) Fetch();
        });
  }

  // One read at a time; news that come meanwhile ask for one more.
  void Fetch() {
    if (fetching_) {
      again_ = true;
      return;
    }
    fetching_ = true;
    store_.Read([this, alive = std::weak_ptr<bool>(alive_)](
                    absl::StatusOr<std::optional<ScoreStore::Stored>> stored) {
      if (alive.expired()) return;
      fetching_ = false;
      if (std::exchange(again_, false)) Fetch();
      OnRead(std::move(stored));
    });
  }

  void OnRead(absl::StatusOr<std::optional<ScoreStore::Stored>> stored) {
    if (!stored.ok()) {
      if (absl::IsDataLoss(stored.status())) {
        obs::Log(obs::kWarning, "scores_unreadable", unreadable_log_)
            .With("error", stored.status());
      }
      return;
    }
    if (!stored->has_value() || (*stored)->snapshot->version() == version_) return;
    version_ = (*stored)->snapshot->version();
    {
      absl::MutexLock lock(&mutex_);
      latest_ = (*stored)->snapshot;
      computed_ = clock_.Monotonic() - (*stored)->age;
    }
    on_change_((*stored)->snapshot);
  }

  net::EventLoop& loop_;
  ScoreStore store_;
  const absl::Duration interval_;
  const OnChange on_change_;
  const Clock& clock_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t version_ = 0;
  bool fetching_ = false;
  bool again_ = false;
  Executor::TimerId timer_ = 0;
  obs::LogEvery unreadable_log_{absl::Minutes(1)};
  mutable absl::Mutex mutex_;
  SnapshotPtr latest_ ABSL_GUARDED_BY(mutex_);
  absl::Duration computed_ ABSL_GUARDED_BY(mutex_);  // on the monotonic clock
  redis::Subscription subscription_;
};

SnapshotWatcher::SnapshotWatcher(redis::Connection& connection, const redis::Options& options,
                                 const Keys& keys, absl::Duration interval, OnChange on_change,
                                 const Clock& clock)
    : connection_(connection),
      core_(std::make_unique<Core>(connection, options, keys, interval, std::move(on_change),
                                   clock)) {}

SnapshotWatcher::~SnapshotWatcher() {
  if (connection_.loop().IsCurrent()) {
    core_ = nullptr;
  } else {
    connection_.loop().RunAndWait([this] { core_ = nullptr; });
  }
}

SnapshotPtr SnapshotWatcher::latest() const { return core_->latest(); }
absl::Duration SnapshotWatcher::age() const { return core_->age(); }

}  // namespace signalbox::store
