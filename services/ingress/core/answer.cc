#include "services/ingress/core/answer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/writer.h"
#include "common/pricing/cost.h"
#include "common/seam/error_detail.h"
#include "common/sse/writer.h"

namespace signalbox::ingress {
namespace {

using common::v1::Usage;
using json::Writer;
using router::v1::Candidate;
using router::v1::DecideResponse;

void WriteChunkHead(const ChunkHead& head, Writer* w) {
  w->BeginObject().Key("id").String(head.id).Key("object").String("chat.completion.chunk");
  w->Key("created").Int(head.created_unix).Key("model").String(head.model);
  if (!head.provider.empty()) w->Key("provider").String(head.provider);
}

void WriteScore(const router::v1::Score& score, Writer* w) {
  w->Key("share").Double(score.share());
  if (!score.tier().empty()) w->Key("tier").String(score.tier());
  if (score.availability() >= 0) w->Key("availability").Double(score.availability());
  if (score.tool_success() >= 0) w->Key("tool_success").Double(score.tool_success());
  if (score.throughput_tps() > 0) w->Key("throughput_tps").Double(score.throughput_tps());
  if (score.ttft_ms() > 0) w->Key("ttft_ms").Double(score.ttft_ms());
  if (score.benchmark() >= 0) w->Key("benchmark").Double(score.benchmark());
  w->Key("order_price").Raw(PicoToDecimal(score.order_price_pico()));
  if (!score.reason().empty()) w->Key("reason").String(score.reason());
}

void WriteEndpoints(const RoutingStory& story, Writer* w) {
  const DecideResponse& decision = *story.decision;
  w->Key("endpoints").BeginObject();
  w->Key("total").Int(decision.candidates_size() + decision.excluded_size());
  w->Key("available").BeginArray();
  for (const Candidate& candidate : decision.candidates()) {
    w->BeginObject()
        .Key("provider")
        .String(candidate.provider_name())
        .Key("model")
        .String(candidate.model());
    w->Key("selected").Bool(candidate.endpoint_id() == story.selected_endpoint);
    w->Key("endpoint").String(candidate.endpoint_id());
    if (candidate.has_score()) WriteScore(candidate.score(), w);
    w->EndObject();
  }
  w->EndArray().Key("excluded").BeginArray();
  const int listed = std::min<int>(decision.excluded_size(), kMaxExcludedListed);
  for (int i = 0; i < listed; ++i) {
    const router::v1::Exclusion& exclusion = decision.excluded(i);
    w->BeginObject()
        .Key("endpoint")
        .String(exclusion.endpoint_id())
        .Key("provider")
        .String(exclusion.provider_slug());
    w->Key("model").String(exclusion.model()).Key("filter").String(exclusion.filter());
    w->Key("detail").String(exclusion.detail()).EndObject();
  }
  w->EndArray().EndObject();
}

void WriteAttempts(absl::Span<const AttemptNote> attempts, Writer* w) {
  w->Key("attempts").BeginArray();
  for (const AttemptNote& attempt : attempts) {
    const bool failed = attempt.error.reason() != common::v1::REASON_UNSPECIFIED;
    w->BeginObject().Key("provider").String(attempt.provider).Key("model").String(attempt.model);
    w->Key("status").Int(failed ? MeaningOf(attempt.error.reason()).status : 200);
    w->Key("endpoint").String(attempt.endpoint_id);
    if (failed) w->Key("reason").String(seam::ReasonName(attempt.error.reason()));
    if (attempt.invalid_tool_call) w->Key("invalid_tool_call").Bool(true);
    if (attempt.repaired_tool_call) w->Key("repaired_tool_call").Bool(true);
    w->Key("duration_ms").Int(absl::ToInt64Milliseconds(attempt.duration)).EndObject();
  }
  w->EndArray();
}

std::string Summary(const RoutingStory& story) {
  return absl::StrCat(story.decision->candidates_size(), " endpoints available, ",
                      story.decision->excluded_size(), " excluded, ordered by ",
                      story.decision->strategy(), "; attempt ", story.attempts.size(),
                      story.selected_endpoint.empty() ? " failed" : " answered");
}

}  // namespace

Charge ChargeFor(const common::v1::Pricing& pricing, const Usage& usage,
                 int32_t markup_basis_points) {
  Charge charge;
  if (usage.completion_tokens() <= 0) return charge;
  CostSum total = pricing::ProviderCost(pricing, usage);
  const NanoUsd provider_total = total.Rounded();
  Usage prompt_only = usage;
  prompt_only.set_completion_tokens(0);
  charge.provider_prompt = pricing::ProviderCost(pricing, prompt_only).Rounded();
  charge.provider_completion.value = provider_total.value - charge.provider_prompt.value;
  if (markup_basis_points != 0) total.MarkUp(markup_basis_points);
  charge.charged = total.Rounded();
  return charge;
}

std::string UsageJson(const Usage& usage, const Charge& charge) {
  Writer w(384);
  w.BeginObject().Key("prompt_tokens").Int(usage.prompt_tokens());
  w.Key("completion_tokens").Int(usage.completion_tokens());
  w.Key("total_tokens").Int(usage.prompt_tokens() + usage.completion_tokens());
  w.Key("prompt_tokens_details").BeginObject().Key("cached_tokens").Int(usage.cached_tokens());
  w.Key("cache_write_tokens").Int(usage.cache_write_tokens());
  w.Key("audio_tokens").Int(usage.audio_prompt_tokens()).EndObject();
  w.Key("completion_tokens_details")
      .BeginObject()
      .Key("reasoning_tokens")
      .Int(usage.reasoning_tokens());
  w.Key("audio_tokens").Int(usage.audio_completion_tokens()).EndObject();
  w.Key("cost").Raw(NanoToDecimal(charge.charged)).Key("is_byok").Bool(false);
  w.Key("cost_details").BeginObject().Key("upstream_inference_cost").Null();
  w.Key("upstream_inference_prompt_cost").Raw(NanoToDecimal(charge.provider_prompt));
  w.Key("upstream_inference_completions_cost")
      .Raw(NanoToDecimal(charge.provider_completion))
      .EndObject();
  if (usage.source() == Usage::SOURCE_ESTIMATED) w.Key("estimated").Bool(true);
  w.EndObject();
  return std::move(w).Take();
}

void AppendUsageChunk(const ChunkHead& head, const provider::v1::AttemptResult& result,
                      absl::string_view usage_json, absl::string_view metadata, std::string* out) {
  Writer w(640 + metadata.size());
  WriteChunkHead(head, &w);
  w.Key("choices")
      .BeginArray()
      .BeginObject()
      .Key("index")
      .Int(0)
      .Key("delta")
      .BeginObject()
      .EndObject();
  w.Key("finish_reason").String(result.finish_reason());
  w.Key("native_finish_reason").String(result.native_finish_reason()).EndObject().EndArray();
  w.Key("usage").Raw(usage_json);
  if (!metadata.empty()) w.Key("openrouter_metadata").Raw(metadata);
  w.EndObject();
  sse::AppendData(out, w.text());
}

void AppendErrorChunk(const ChunkHead& head, const Failure& failure, std::string* out) {
  Writer w(768);
  WriteChunkHead(head, &w);
  w.Key("choices").BeginArray().BeginObject().Key("index").Int(0);
  w.Key("delta").BeginObject().Key("content").String("").EndObject();
  w.Key("finish_reason")
      .String("error")
      .Key("native_finish_reason")
      .String("error")
      .EndObject()
      .EndArray();
  w.Key("error").Raw(ErrorObject(failure)).EndObject();
  sse::AppendData(out, w.text());
}

void SpliceUsage(absl::string_view usage_json, absl::string_view metadata,
                 std::string* completion) {
  completion->pop_back();
  absl::StrAppend(completion, completion->size() > 1 ? ",\"usage\":" : "\"usage\":", usage_json);
  if (!metadata.empty()) absl::StrAppend(completion, ",\"openrouter_metadata\":", metadata);
  completion->push_back('}');
}

std::string RoutingMetadata(const RoutingStory& story) {
  const DecideResponse& decision = *story.decision;
  Writer w(1'024);
  w.BeginObject();
  w.Key("requested")
      .String(story.requested_models.empty() ? ""
                                             : absl::string_view(story.requested_models.front()));
  w.Key("strategy").String(story.requested_models.size() > 1 ? "fallback" : "direct");
  w.Key("region").Null().Key("summary").String(Summary(story));
  w.Key("attempt").UInt(std::max<size_t>(story.attempts.size(), 1)).Key("is_byok").Bool(false);
  WriteEndpoints(story, &w);
  WriteAttempts(story.attempts, &w);
  w.Key("pipeline").BeginArray().EndArray();
  w.Key("ordered_by").String(decision.strategy());
  w.Key("snapshot_version")
      .UInt(decision.snapshot_version())
      .Key("snapshot_age_ms")
      .Int(decision.snapshot_age_ms());
  w.EndObject();
  return std::move(w).Take();
}

}  // namespace signalbox::ingress
