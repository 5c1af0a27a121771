// Brings finished generations to the store: the record and, with it, the charge. A lone one is
// offered at once; what finishes while a batch is on its way, or right after it, goes with the
// next. The store takes each id once however often it is offered, so what it did not take is simply
// offered again, from a bounded journal in memory.
//
// Thread-compatible: one Settlement per event loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_
#define SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_

#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/store/stores.h"
#include "services/ingress/metrics.h"

namespace signalbox::ingress {

struct SettlementOptions {
  absl::Duration ttl = absl::Hours(720);
  size_t max_pending =
      20'000;  // records the store has not taken; the first are dropped beyond it, and counted
  size_t max_batch = 256;
  // From one batch to the next, so that under load many share one; less than a client can notice.
  absl::Duration pause = absl::Milliseconds(2);
  absl::Duration first_retry = absl::Milliseconds(200);
  absl::Duration longest_retry = absl::Seconds(5);
};

class Settlement {
 public:
  // All references outlive the settlement. Destroyed on its loop.
  Settlement(const SettlementOptions& options, store::GenerationStore& store, Executor& executor,
             const Clock& clock, IngressMetrics& metrics, Rng rng);
  ~Settlement();

  void Settle(store::Generation generation);
  // Records on their way or in the journal.
  size_t pending() const { return batch_.size() + journal_.size(); }

 private:
  void OfferSome();
  void OnAnswer(const absl::Status& status, const std::vector<size_t>& failed);
  void Rest(absl::Duration duration);
  void Keep(store::Generation generation);

  const SettlementOptions options_;
  store::GenerationStore& store_;
  Executor& executor_;
  const Clock& clock_;
  IngressMetrics& metrics_;
  Backoff backoff_;
  std::vector<store::Generation> batch_;   // on its way; no other is before it is answered
  std::deque<store::Generation> journal_;  // the next first
  absl::Duration offered_at_ = -absl::InfiniteDuration();
  Executor::TimerId timer_ = 0;  // nothing is offered before it fires
  // Callbacks of the store hold it weakly: they may come after the end.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_
