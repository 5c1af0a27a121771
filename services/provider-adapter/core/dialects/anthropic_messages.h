// OpenAI messages -> Anthropic's system blocks and alternating turns.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_MESSAGES_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_MESSAGES_H_

#include <simdjson.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::provider_adapter {

struct AnthropicConversation {
  std::string system;                     // blocks as JSON, joined by commas; empty = none
  std::string messages;                   // a JSON array
  std::vector<std::string> called_tools;  // names of the tools in past calls, each once
  // False inside a tool loop whose calls came without thinking blocks: Anthropic then refuses
  // `thinking`.
  bool may_think = true;
};

// Error: PROVIDER_REJECTED naming the part that Anthropic has no form for; INVALID_REQUEST for what
// OpenAI has none for either.
absl::StatusOr<AnthropicConversation> TranslateMessages(simdjson::dom::array messages);

// PROVIDER_REJECTED: another dialect may be able to express it, so the router tries elsewhere.
absl::Status Inexpressible(absl::string_view field, absl::string_view what);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_MESSAGES_H_
