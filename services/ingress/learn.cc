#include "services/ingress/learn.h"

#include "common/obs/log.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

// Beyond what counts against the endpoint: the conversation is better off elsewhere.
bool DrivesAway(common::v1::Reason reason) {
  return seam::CountsAgainstAvailability(reason) ||
         reason == common::v1::REASON_PROVIDER_RATE_LIMITED ||
         reason == common::v1::REASON_PROVIDER_SATURATED ||
         reason == common::v1::REASON_TOOL_CALL_INVALID;
}

}  // namespace

void LearnFromAttempt(LoopServices& services, const Conversation& conversation,
                      absl::string_view endpoint_id, common::v1::Reason reason, bool committed,
                      absl::Duration started) {
  Circuits& circuits = services.shared.circuits;
  Conversations& conversations = services.shared.conversations;
  IngressMetrics& metrics = services.shared.metrics;
  if (reason == common::v1::REASON_UNSPECIFIED) {
    circuits.OnSuccess(endpoint_id, started);
    conversations.Remember(conversation, endpoint_id, services.Now());
  } else if (seam::CountsAgainstAvailability(reason)) {
    if (circuits.OnFailure(endpoint_id, started, services.Now())) {
      metrics.circuit_openings.Add();
      obs::Log(obs::kWarning, "circuit_opened").With("endpoint", endpoint_id);
    }
  } else {
    circuits.OnOther(endpoint_id);
    if (reason == common::v1::REASON_CANCELLED && committed)
      conversations.Remember(conversation, endpoint_id, services.Now());
  }
  if (DrivesAway(reason) && conversations.Forget(conversation, endpoint_id))
    metrics.conversations_failed.Add();
  metrics.circuits_open.store(circuits.open(), std::memory_order_relaxed);
}

}  // namespace signalbox::ingress
