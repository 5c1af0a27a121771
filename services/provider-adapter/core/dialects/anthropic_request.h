// An OpenAI chat completions body -> an Anthropic Messages body.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_REQUEST_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/catalogue/catalogue.h"

namespace signalbox::provider_adapter {

// Error: INVALID_REQUEST naming a malformed member; PROVIDER_REJECTED naming a member that would
// change meaning if it were left out and cannot be expressed (n > 1, logprobs, audio, …). Members
// that only tune are left out.
absl::StatusOr<std::string> TranslateToAnthropic(const catalogue::Endpoint& endpoint,
                                                 absl::string_view openai_body, bool stream);

// Major and minor version in a Claude model's name times ten, 4.5 -> 45; 0 = not a Claude model.
// Adaptive thinking came with 46; 47 and later refuse sampling parameters.
int ClaudeVersion(absl::string_view model);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_REQUEST_H_
