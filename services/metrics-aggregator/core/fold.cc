#include "services/metrics-aggregator/core/fold.h"

#include <optional>

#include "common/seam/error_detail.h"
#include "common/store/keys.h"
#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {
namespace {

using common::v1::Outcome;
using store::Count;
using store::WindowCounts;

constexpr size_t kMaxEndpointId = 200;

std::optional<Count> BadKind(common::v1::ToolCallVerdict verdict) {
  switch (verdict) {
    case common::v1::TOOL_CALL_VERDICT_INVALID_JSON:
      return Count::kToolInvalidJson;
    case common::v1::TOOL_CALL_VERDICT_UNKNOWN_NAME:
      return Count::kToolUnknownName;
    case common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH:
      return Count::kToolSchemaMismatch;
    case common::v1::TOOL_CALL_VERDICT_LEAKED:
      return Count::kToolLeaked;
    case common::v1::TOOL_CALL_VERDICT_EMPTY:
      return Count::kToolEmpty;
    case common::v1::TOOL_CALL_VERDICT_CHOICE_IGNORED:
      return Count::kToolChoiceIgnored;
    case common::v1::TOOL_CALL_VERDICT_MALFORMED:
      return Count::kToolMalformed;
    default:
      return std::nullopt;
  }
}

// Two measures kept apart: the published one has requests that finished with tool calls as its
// denominator; the kinds are counted over all requests with tools, so that markup in the text and
// ignored choices show too.
void AddTools(const Outcome& outcome, WindowCounts* counts) {
  // Endpoints that see the requests at which others failed would look worse than they are.
  if (outcome.reissued()) return;
  const auto verdict = outcome.tool_call_verdict();
  if (outcome.request_class() == common::v1::REQUEST_CLASS_TOOLS)
    (*counts)[Count::kToolsOffered] += 1;
  if (outcome.tool_choice_free()) {
    (*counts)[Count::kFreeOffered] += 1;
    if (outcome.finished_with_tool_calls()) (*counts)[Count::kFreeCalled] += 1;
  }
  const std::optional<Count> bad = BadKind(verdict);
  if (bad.has_value()) (*counts)[*bad] += 1;
  if (!outcome.finished_with_tool_calls() || verdict == common::v1::TOOL_CALL_VERDICT_UNSPECIFIED)
    return;
  (*counts)[Count::kToolRequests] += 1;
  if (bad.has_value()) (*counts)[Count::kToolBad] += 1;
}

// Throughput is tokens over the whole time from request to last token, as the published rule has
// it: queueing hurts.
void AddSpeed(const Outcome& outcome, WindowCounts* counts) {
  if (outcome.ttft_us() > 0)
    counts->ttft.Add(CellOf(static_cast<double>(outcome.ttft_us()) / 1e3), 1);
  if (outcome.completion_tokens() <= 0 || outcome.duration_us() <= 0) return;
  (*counts)[Count::kOutputTokens] += outcome.completion_tokens();
  (*counts)[Count::kGenerationMicros] += outcome.duration_us();
  const double seconds = static_cast<double>(outcome.duration_us()) / 1e6;
  counts->throughput.Add(CellOf(static_cast<double>(outcome.completion_tokens()) / seconds), 1);
}

void AddCost(const Outcome& outcome, WindowCounts* counts) {
  if (outcome.list_cost_nano() <= 0) return;  // nothing to compare with
  (*counts)[Count::kCostNano] += outcome.provider_cost_nano();
  (*counts)[Count::kListCostNano] += outcome.list_cost_nano();
}

}  // namespace

Standing StandingOf(common::v1::Reason failure) {
  if (failure == common::v1::REASON_UNSPECIFIED ||
      failure == common::v1::REASON_TOOL_CALL_INVALID) {
    return Standing::kOk;
  }
  if (failure == common::v1::REASON_PROVIDER_RATE_LIMITED) return Standing::kRateLimited;
  return seam::CountsAgainstAvailability(failure) ? Standing::kFail : Standing::kNothing;
}

WindowCounts Fold(const Outcome& outcome) {
  WindowCounts counts;
  const Standing standing = StandingOf(outcome.failure());
  if (standing == Standing::kNothing) return counts;
  counts[Count::kRequests] = 1;
  if (standing == Standing::kFail) counts[Count::kFail] = 1;
  if (standing == Standing::kRateLimited) counts[Count::kRateLimited] = 1;
  if (standing != Standing::kOk) return counts;
  counts[Count::kOk] = 1;
  AddTools(outcome, &counts);
  AddSpeed(outcome, &counts);
  AddCost(outcome, &counts);
  return counts;
}

void Merge(const EndpointDeltas& from, EndpointDeltas* into) {
  for (const auto& [endpoint, counts] : from) (*into)[endpoint].Add(counts);
}

bool IsEndpointId(absl::string_view id) { return store::IsTag(id, kMaxEndpointId); }

}  // namespace signalbox::metrics_aggregator
