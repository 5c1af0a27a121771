#include "services/provider-adapter/core/attempt_deadlines.h"

#include <algorithm>

namespace signalbox::provider_adapter {

absl::Duration AttemptDeadlines::NextDue() const {
  const absl::Duration always = std::min(total_due_, end_due_);
  return paused_ ? always : std::min({always, first_content_due_, IdleDue()});
}

AttemptDeadlines::Expiry AttemptDeadlines::Expired(absl::Duration now) const {
  // A complete answer is complete, whatever else is due.
  if (now >= end_due_) return Expiry::kEndGrace;
  if (now >= total_due_) return Expiry::kTotal;
  if (paused_) return Expiry::kNone;
  if (now >= first_content_due_) return Expiry::kFirstContent;
  if (now >= IdleDue()) return Expiry::kIdle;
  return Expiry::kNone;
}

}  // namespace signalbox::provider_adapter
