#include "services/ingress/core/generation_record.h"

#include <utility>

#include "common/json/writer.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/errors.h"

namespace signalbox::ingress {
namespace {

using json::Writer;

void StringOrNull(absl::string_view name, const std::string& value, Writer* w) {
  w->Key(name);
  if (value.empty()) {
    w->Null();
  } else {
    w->String(value);
  }
}

void Nulls(std::initializer_list<absl::string_view> names, Writer* w) {
  for (const absl::string_view name : names) w->Key(name).Null();
}

void WriteResponses(absl::Span<const AttemptNote> attempts, Writer* w) {
  w->Key("provider_responses").BeginArray();
  for (const AttemptNote& attempt : attempts) {
    const common::v1::Reason reason = attempt.error.reason();
    const bool failed = reason != common::v1::REASON_UNSPECIFIED;
    w->BeginObject()
        .Key("provider_name")
        .String(attempt.provider)
        .Key("model_permaslug")
        .String(attempt.model);
    w->Key("endpoint_id").String(attempt.endpoint_id);
    w->Key("status").Int(!failed                                ? 200
                         : attempt.error.upstream_status() != 0 ? attempt.error.upstream_status()
                                                                : MeaningOf(reason).status);
    if (failed) w->Key("reason").String(seam::ReasonName(reason));
    if (attempt.invalid_tool_call) w->Key("invalid_tool_call").Bool(true);
    if (attempt.repaired_tool_call) w->Key("repaired_tool_call").Bool(true);
    w->Key("latency")
        .Int(absl::ToInt64Milliseconds(attempt.duration))
        .Key("is_byok")
        .Bool(false)
        .EndObject();
  }
  w->EndArray();
}

void WriteTokens(const GenerationFacts& facts, Writer* w) {
  const common::v1::Usage& usage = facts.usage;
  w->Key("tokens_prompt")
      .Int(usage.prompt_tokens())
      .Key("tokens_completion")
      .Int(usage.completion_tokens());
  w->Key("native_tokens_prompt").Int(usage.prompt_tokens());
  w->Key("native_tokens_completion").Int(usage.completion_tokens());
  w->Key("native_tokens_completion_images")
      .Int(0)
      .Key("native_tokens_reasoning")
      .Int(usage.reasoning_tokens());
  w->Key("native_tokens_cached").Int(usage.cached_tokens());
  w->Key("num_media_prompt")
      .Int(facts.media_parts)
      .Key("num_input_audio_prompt")
      .Int(facts.audio_parts);
  w->Key("num_media_completion").Int(0);
  Nulls({"num_search_results", "num_fetches", "web_search_engine"}, w);
}

}  // namespace

std::string GenerationRecord(const GenerationFacts& facts) {
  Writer w(1'536);
  const std::string cost = NanoToDecimal(facts.charge.charged);
  w.BeginObject().Key("id").String(facts.id);
  StringOrNull("upstream_id", facts.upstream_id, &w);
  w.Key("total_cost").Raw(cost).Key("usage").Raw(cost);
  Nulls({"cache_discount", "upstream_inference_cost"}, &w);
  w.Key("created_at")
      .String(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", facts.created, absl::UTCTimeZone()));
  w.Key("model")
      .String(facts.model)
      .Key("streamed")
      .Bool(facts.streamed)
      .Key("cancelled")
      .Bool(facts.cancelled);
  StringOrNull("provider_name", facts.provider, &w);
  w.Key("latency").Int(absl::ToInt64Milliseconds(facts.latency));
  w.Key("generation_time").Int(absl::ToInt64Milliseconds(facts.generation_time));
  StringOrNull("finish_reason", facts.finish_reason, &w);
  StringOrNull("native_finish_reason", facts.native_finish_reason, &w);
  WriteTokens(facts, &w);
  w.Key("origin")
      .String(facts.referer)
      .Key("is_byok")
      .Bool(false)
      .Key("data_region")
      .String("global");
  w.Key("api_type").String("completions");
  StringOrNull("router", facts.router, &w);
  WriteResponses(facts.attempts, &w);
  StringOrNull("external_user", facts.user, &w);
  StringOrNull("session_id", facts.session_id, &w);
  StringOrNull("user_agent", facts.user_agent, &w);
  StringOrNull("http_referer", facts.referer, &w);
  Nulls({"app_id", "moderation_latency", "preset_id", "service_tier", "workspace_id"}, &w);
  w.EndObject();
  return std::move(w).Take();
}

}  // namespace signalbox::ingress
