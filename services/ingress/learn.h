// What the end of one attempt teaches this process: the standing of the endpoint's circuit, and
// where the conversation is.
//
// Threads: on the event loop of `services`.
#ifndef SIGNALBOX_SERVICES_INGRESS_LEARN_H_
#define SIGNALBOX_SERVICES_INGRESS_LEARN_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/ingress/core/conversations.h"
#include "services/ingress/loop_services.h"
#include "signalbox/common/v1/error.pb.h"

namespace signalbox::ingress {

// `reason`: UNSPECIFIED = it answered. `committed`: content had reached the client, so that the
// endpoint knows the conversation even when the client has gone.
void LearnFromAttempt(LoopServices& services, const Conversation& conversation,
                      absl::string_view endpoint_id, common::v1::Reason reason, bool committed,
                      absl::Duration started);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_LEARN_H_
