#include "services/ingress/settlement.h"

#include <algorithm>
#include <utility>

#include "common/obs/log.h"

namespace signalbox::ingress {
namespace {

obs::LogEvery& FailureLog() {
  static auto* const every = new obs::LogEvery(absl::Seconds(10));
  return *every;
}

}  // namespace

Settlement::Settlement(const SettlementOptions& options, store::GenerationStore& store,
                       Executor& executor, IngressMetrics& metrics, Rng rng)
    : options_(options),
      store_(store),
      executor_(executor),
      metrics_(metrics),
      backoff_(options.first_retry, options.longest_retry, rng) {}

Settlement::~Settlement() {
  if (timer_ != 0) executor_.Cancel(timer_);
  metrics_.settle_pending.fetch_sub(static_cast<int>(pending()));
}

void Settlement::Settle(SettledGeneration generation) {
  metrics_.settle_pending.fetch_add(1);
  Offer(std::move(generation));
}

void Settlement::Offer(SettledGeneration generation) {
  ++on_their_way_;
  auto kept = std::make_shared<SettledGeneration>(std::move(generation));
  store_.Put(executor_, kept->id, kept->key_hash, kept->cost, kept->finished, kept->json,
             options_.ttl, [this, alive = std::weak_ptr<bool>(alive_), kept](absl::Status status) {
               if (alive.expired()) return;
               --on_their_way_;
               if (status.ok()) {
                 metrics_.settle_pending.fetch_sub(1);
                 backoff_.Reset();
                 return;
               }
               metrics_.settle_failures.Add();
               obs::Log(obs::kWarning, "settle_failed", FailureLog()).With("error", status);
               Keep(std::move(*kept));
             });
}

void Settlement::Keep(SettledGeneration generation) {
  if (journal_.size() >= options_.max_pending) {
    journal_.pop_front();
    metrics_.settle_dropped.Add();
    metrics_.settle_pending.fetch_sub(1);
  }
  journal_.push_back(std::move(generation));
  RetryLater();
}

void Settlement::RetryLater() {
  if (timer_ != 0 || journal_.empty()) return;
  timer_ = executor_.RunAfter(backoff_.Next(), [this] {
    timer_ = 0;
    Retry();
  });
}

// A batch at a time: a store that has just come back is not met by everything at once.
void Settlement::Retry() {
  for (size_t i = std::min(options_.batch, journal_.size()); i > 0; --i) {
    SettledGeneration generation = std::move(journal_.front());
    journal_.pop_front();
    Offer(std::move(generation));
  }
  RetryLater();
}

}  // namespace signalbox::ingress
