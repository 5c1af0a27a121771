// The words of the tool-call guard's setting, which setting of several counts, and what follows.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_TOOL_CALL_GUARD_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_TOOL_CALL_GUARD_H_

#include <initializer_list>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "services/ingress/core/attempt_plan.h"
#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::ingress {

constexpr absl::string_view kToolCallGuardRule = "must be off, observe or enforce";
constexpr absl::string_view kToolCallGuardHeader = "x-signalbox-tool-call-guard";

// nullopt = not one of the words.
inline absl::optional<provider::v1::ToolCallGuard> ToolCallGuardNamed(absl::string_view word) {
  if (word == "off") return provider::v1::TOOL_CALL_GUARD_OFF;
  if (word == "observe") return provider::v1::TOOL_CALL_GUARD_OBSERVE;
  if (word == "enforce") return provider::v1::TOOL_CALL_GUARD_ENFORCE;
  return absl::nullopt;
}

// How far attempts go for a valid call. Where nobody said anything the operator's older switch
// (retry_invalid_tool_calls) decides.
inline AttemptPolicy GuardedPolicy(AttemptPolicy policy, provider::v1::ToolCallGuard guard) {
  if (guard == provider::v1::TOOL_CALL_GUARD_UNSPECIFIED) return policy;
  policy.retry_invalid_tool_calls = guard == provider::v1::TOOL_CALL_GUARD_ENFORCE;
  policy.tool_calls_after_text = guard == provider::v1::TOOL_CALL_GUARD_ENFORCE;
  return policy;
}

// The first that is said.
inline provider::v1::ToolCallGuard FirstSaid(
    std::initializer_list<provider::v1::ToolCallGuard> settings) {
  for (const provider::v1::ToolCallGuard setting : settings) {
    if (setting != provider::v1::TOOL_CALL_GUARD_UNSPECIFIED) return setting;
  }
  return provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
}

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_TOOL_CALL_GUARD_H_
