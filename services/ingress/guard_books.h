// The books of the tool-call guard for one chat: which answers were thrown away for their tool
// calls, what they cost us, and what became of the chat.
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_INGRESS_GUARD_BOOKS_H_
#define SIGNALBOX_SERVICES_INGRESS_GUARD_BOOKS_H_

#include "common/base/money.h"
#include "services/ingress/core/attempt_plan.h"
#include "services/ingress/metrics.h"
#include "signalbox/provider/v1/provider.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

class GuardBooks {
 public:
  // An answer is not delivered; `held`: it may be after all.
  void ThrowAway(const router::v1::Candidate& candidate, const provider::v1::AttemptResult& result,
                 bool held);
  // The held answer is delivered and paid.
  void DeliverHeld();
  // An answer with an invalid call is delivered: there was nobody else to ask.
  void GiveUp() { gave_up_ = true; }
  // The chat has ended.
  void Close(ChatOutcome outcome, const IngressMetrics& metrics) const;

 private:
  int thrown_away_ = 0;
  bool gave_up_ = false;
  NanoUsd unpaid_;
  NanoUsd held_;  // of these, of the held answer
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_GUARD_BOOKS_H_
