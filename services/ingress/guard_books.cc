#include "services/ingress/guard_books.h"

#include "common/pricing/cost.h"

namespace signalbox::ingress {

void GuardBooks::ThrowAway(const router::v1::Candidate& candidate,
                           const provider::v1::AttemptResult& result, bool held) {
  const NanoUsd cost = pricing::ProviderCost(candidate.pricing(), result.usage()).Rounded();
  ++thrown_away_;
  unpaid_.value += cost.value;
  if (held) held_ = cost;
}

void GuardBooks::DeliverHeld() {
  gave_up_ = true;
  unpaid_.value -= held_.value;
  held_ = {};
}

void GuardBooks::Close(ChatOutcome outcome, const IngressMetrics& metrics) const {
  if (thrown_away_ == 0 && !gave_up_) return;
  metrics.guard_unpaid.Add(static_cast<double>(unpaid_.value) / 1e9);
  if (outcome == ChatOutcome::kClientGone) return;
  metrics.CountGuard(outcome != ChatOutcome::kOk ? GuardOutcome::kUndelivered
                     : gave_up_                  ? GuardOutcome::kGaveUp
                                                 : GuardOutcome::kRescued);
}

}  // namespace signalbox::ingress
