// Checks of `messages` and `tools`: the parts of a chat request whose shape adapters translate and
// validation relies on.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_MESSAGE_CHECK_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_MESSAGE_CHECK_H_

#include <cstddef>

#include "absl/status/status.h"
#include "services/ingress/core/json_check.h"
#include "services/ingress/core/opening.h"

namespace signalbox::ingress {

// What the messages hold besides text.
struct MessageFacts {
  int images = 0;
  int files = 0;
  int audio = 0;
  int video = 0;
  size_t media_bytes = 0;  // length of inline media: not text, so not counted as prompt tokens
  OpeningScan opening;
};

absl::Status CheckMessages(JsonElement messages, size_t max_messages, MessageFacts* facts);

// `count` becomes the number of tools.
absl::Status CheckTools(JsonElement tools, size_t max_tools, size_t* count);

// `tools` may be null: no tools in the request.
absl::Status CheckToolChoice(JsonElement choice, const JsonElement* tools);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_MESSAGE_CHECK_H_
