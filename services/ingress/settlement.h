// Brings finished generations to the store: the record and, with it, the charge. The store takes
// each id once however often it is offered, so what it did not take is simply offered again, from a
// bounded journal in memory.
//
// Thread-compatible: one Settlement per event loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_
#define SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_

#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/money.h"
#include "common/store/stores.h"
#include "services/ingress/metrics.h"

namespace signalbox::ingress {

struct SettlementOptions {
  absl::Duration ttl = absl::Hours(720);
  size_t max_pending =
      20'000;  // records the store has not taken; the oldest are dropped beyond it, and counted
  size_t max_offered = 128;  // offered and not answered; more wait their turn
  absl::Duration first_retry = absl::Milliseconds(200);
  absl::Duration longest_retry = absl::Seconds(5);
};

struct SettledGeneration {
  std::string id;
  std::string key_hash;
  NanoUsd cost;
  absl::Time finished;
  std::string json;
};

class Settlement {
 public:
  // All references outlive the settlement. Destroyed on its loop.
  Settlement(const SettlementOptions& options, store::GenerationStore& store, Executor& executor,
             IngressMetrics& metrics, Rng rng);
  ~Settlement();

  void Settle(SettledGeneration generation);
  // Records on their way or in the journal.
  size_t pending() const { return on_their_way_ + journal_.size(); }

 private:
  void OfferSome();
  void Offer(std::shared_ptr<SettledGeneration> generation);
  void Keep(SettledGeneration generation, const absl::Status& why);
  void CountDropped();

  const SettlementOptions options_;
  store::GenerationStore& store_;
  Executor& executor_;
  IngressMetrics& metrics_;
  Backoff backoff_;
  std::deque<SettledGeneration> journal_;  // not on their way, the oldest first
  size_t on_their_way_ = 0;
  Executor::TimerId timer_ = 0;
  // Callbacks of the store hold it weakly: they may come after the end.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_SETTLEMENT_H_
