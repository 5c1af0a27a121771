// The `data` object of GET /generation: what is known of a finished request. Written once, when it
// is settled.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_GENERATION_RECORD_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_GENERATION_RECORD_H_

#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/ingress/core/answer.h"
#include "services/ingress/core/attempt_plan.h"
#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::ingress {

struct GenerationFacts {
  std::string id;
  std::string upstream_id;
  std::string model;
  std::string provider;
  std::string router;  // the routing strategy
  absl::Time created;
  absl::Duration latency;          // request to first content
  absl::Duration generation_time;  // request to end
  bool streamed = false;
  bool cancelled = false;
  std::string finish_reason;
  std::string native_finish_reason;
  common::v1::Usage usage;
  Charge charge;
  int media_parts = 0;
  int audio_parts = 0;
  std::string user;
  std::string session_id;
  std::string user_agent;
  std::string referer;
  absl::Span<const AttemptNote> attempts;
};

std::string GenerationRecord(const GenerationFacts& facts);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_GENERATION_RECORD_H_
