// Token counts as providers report them -> common::v1::Usage.
//
// Pure; thread-safe. Counts are clamped to >= 0; a number that came as text or as 12.0 is taken.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_USAGE_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_USAGE_H_

#include <simdjson.h>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::provider_adapter {

// The count under `name`; nullopt when absent or no number.
absl::optional<int64_t> CountAt(simdjson::dom::object object, absl::string_view name);

// OpenAI's usage object with the spellings of DeepSeek, Mistral, xAI, Groq and OpenRouter. Usage
// without prompt and completion counts is none: `usage` stays as it was. Providers that repeat
// usage in every chunk report running totals: the last counts.
void ReadOpenAiUsage(simdjson::dom::element value, common::v1::Usage* usage);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_USAGE_H_
