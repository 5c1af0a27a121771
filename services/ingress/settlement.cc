#include "services/ingress/settlement.h"

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
  if (journal_.size() >= options_.max_pending) {
    journal_.pop_front();
    CountDropped();
  }
  journal_.push_back(std::move(generation));
  OfferSome();
}

// No more at a time than a store with a slow disk takes within its deadline: what it has not
// answered in time would only be offered again.
void Settlement::OfferSome() {
  while (timer_ == 0 && on_their_way_ < options_.max_offered && !journal_.empty()) {
    auto generation = std::make_shared<SettledGeneration>(std::move(journal_.front()));
    journal_.pop_front();
    Offer(std::move(generation));
  }
}

void Settlement::Offer(std::shared_ptr<SettledGeneration> generation) {
  ++on_their_way_;
  const SettledGeneration& offered = *generation;
  store_.Put(executor_, offered.id, offered.key_hash, offered.cost, offered.finished, offered.json,
             options_.ttl,
             [this, alive = std::weak_ptr<bool>(alive_),
              generation = std::move(generation)](const absl::Status& status) {
               if (alive.expired()) return;
               --on_their_way_;
               if (!status.ok()) return Keep(std::move(*generation), status);
               metrics_.settle_pending.fetch_sub(1);
               backoff_.Reset();
               OfferSome();
             });
}

// Nothing more is offered before a pause: a store that is away is not stormed.
void Settlement::Keep(SettledGeneration generation, const absl::Status& why) {
  metrics_.settle_failures.Add();
  obs::Log(obs::kWarning, "settle_failed", FailureLog()).With("error", why);
  if (journal_.size() >= options_.max_pending) {
    CountDropped();  // this one is the oldest
  } else {
    journal_.push_front(std::move(generation));
  }
  if (timer_ != 0) return;
  timer_ = executor_.RunAfter(backoff_.Next(), [this] {
    timer_ = 0;
    OfferSome();
  });
}

void Settlement::CountDropped() {
  metrics_.settle_dropped.Add();
  metrics_.settle_pending.fetch_sub(1);
}

}  // namespace signalbox::ingress
