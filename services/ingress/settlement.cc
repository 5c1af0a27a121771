#include "services/ingress/settlement.h"

#include <algorithm>
#include <iterator>
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
                       Executor& executor, const Clock& clock, IngressMetrics& metrics, Rng rng)
    : options_(options),
      store_(store),
      executor_(executor),
      clock_(clock),
      metrics_(metrics),
      backoff_(options.first_retry, options.longest_retry, rng) {}

Settlement::~Settlement() {
  if (timer_ != 0) executor_.Cancel(timer_);
  metrics_.settle_pending.fetch_sub(static_cast<int>(pending()));
}

void Settlement::Settle(store::Generation generation) {
  metrics_.settle_pending.fetch_add(1);
  Keep(std::move(generation));
  OfferSome();
}

void Settlement::Keep(store::Generation generation) {
  if (journal_.size() >= options_.max_pending) {
    journal_.pop_front();
    metrics_.settle_dropped.Add();
    metrics_.settle_pending.fetch_sub(1);
  }
  journal_.push_back(std::move(generation));
}

void Settlement::OfferSome() {
  if (!batch_.empty() || timer_ != 0 || journal_.empty()) return;
  const absl::Duration since = clock_.Monotonic() - offered_at_;
  if (since < options_.pause) return Rest(options_.pause - since);
  offered_at_ = clock_.Monotonic();
  const auto end =
      journal_.begin() + static_cast<ptrdiff_t>(std::min(journal_.size(), options_.max_batch));
  batch_.assign(std::make_move_iterator(journal_.begin()), std::make_move_iterator(end));
  journal_.erase(journal_.begin(), end);
  store_.Put(executor_, batch_, options_.ttl,
             [this, alive = std::weak_ptr<bool>(alive_)](const absl::Status& status,
                                                         const std::vector<size_t>& failed) {
               if (!alive.expired()) OnAnswer(status, failed);
             });
}

void Settlement::OnAnswer(const absl::Status& status, const std::vector<size_t>& failed) {
  // Behind the others: what the store refuses does not keep them from it.
  for (size_t i : failed) Keep(std::move(batch_[i]));
  const size_t stored = batch_.size() - failed.size();
  metrics_.settle_pending.fetch_sub(static_cast<int>(stored));
  batch_.clear();
  if (stored > 0) backoff_.Reset();
  if (status.ok()) return OfferSome();
  metrics_.settle_failures.Add();
  obs::Log(obs::kWarning, "settle_failed", FailureLog()).With("error", status);
  // A store that is away is not stormed.
  Rest(backoff_.Next());
}

void Settlement::Rest(absl::Duration duration) {
  timer_ = executor_.RunAfter(duration, [this] {
    timer_ = 0;
    OfferSome();
  });
}

}  // namespace signalbox::ingress
