// What a provider said went wrong: code, type and message dug out of the error shapes seen in the
// field (OpenAI, Anthropic, Google, Mistral, FastAPI, Cloudflare, AWS, MiniMax, Zhipu, OpenRouter's
// nested raw body, problem+json, HTML pages, plain text).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_PROVIDER_ERROR_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_PROVIDER_ERROR_H_

#include <simdjson.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace signalbox::provider_adapter {

struct ProviderError {
  // Every code, type and status word found, lower case, each between two spaces: " rate_limit_error
  // 1302 ". Outermost first.
  std::string words = " ";
  // The first message found, as the provider wrote it.
  std::string message;
  // An HTTP status named inside the body; 0 = none.
  int status = 0;
  absl::Duration retry_after = absl::ZeroDuration();

  bool HasWord(absl::string_view word) const;
};

// Never fails: a body of an unknown shape gives its text as the message.
ProviderError ReadProviderError(absl::string_view body);

// Does this JSON object of a 200 answer, which has no choices, report an error?
bool LooksLikeError(simdjson::dom::object object);

// A member that says "error" and means it: not null, false or "".
bool IsErrorValue(simdjson::dom::element value);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_PROVIDER_ERROR_H_
