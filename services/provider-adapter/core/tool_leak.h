// Does visible text hold tool-call markup that should have become a tool call? Models speak markup
// of their own
// ("<tool_call>…", "[TOOL_CALLS]…"); a provider whose parser misses it leaks it into the text.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_LEAK_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_LEAK_H_

#include "absl/strings/string_view.h"

namespace signalbox::provider_adapter {

// The first piece of known markup outside code fences (``` and ~~~) and inline code, where an
// answer may well talk about it; empty = none. The view is a constant.
absl::string_view FindToolMarkup(absl::string_view text);

// True for a name with control tokens glued to it: "get_weather<|channel|>commentary".
bool HoldsControlToken(absl::string_view name);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_LEAK_H_
