#include "services/provider-adapter/core/dialects/openai.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/json/patch.h"
#include "services/provider-adapter/core/dialects/openai_reader.h"
#include "services/provider-adapter/core/dialects/sampling.h"

namespace signalbox::provider_adapter {
namespace {

// Addressed to the router, not to the provider.
constexpr absl::string_view kRouterMembers[] = {"provider",
                                                "models",
                                                "route",
                                                "plugins",
                                                "transforms",
                                                "session_id",
                                                "usage",
                                                "trace",
                                                "debug",
                                                "preset",
                                                "signalbox",
                                                "cache_control",
                                                "prompt_cache_options",
                                                "include_reasoning",
                                                "stop_server_tools_when"};

// Would steer where a lesser gateway sends the request or with which credentials (CVE-2024-6587).
// Ours takes no such thing from a body, and does not hand it to a provider that may be such a
// gateway.
constexpr absl::string_view kControlMembers[] = {
    "api_base",   "base_url",    "api_key",       "api_version",
    "extra_body", "extra_query", "extra_headers", "custom_llm_provider"};

constexpr absl::string_view kStreamWithUsage = "{\"include_usage\":true}";

// {"effort":"high",…} -> "high"; empty when there is none.
absl::string_view RawEffort(absl::string_view reasoning) {
  absl::string_view effort;
  json::ForEachMember(reasoning, [&](const json::Member& member) {
    if (member.name == "effort" && absl::StartsWith(member.value, "\"")) effort = member.value;
    return effort.empty();
  });
  return effort;
}

// OpenRouter's reasoning object -> OpenAI's reasoning_effort, unless the client gave that itself. A
// token budget has no counterpart and is left out.
void TranslateReasoning(absl::string_view body, json::ObjectPatch* patch) {
  absl::string_view reasoning, effort;
  json::ForEachMember(body, [&](const json::Member& member) {
    if (member.name == "reasoning") reasoning = member.value;
    if (member.name == "reasoning_effort") effort = member.value;
    return true;
  });
  if (reasoning.empty()) return;
  patch->Remove("reasoning");
  if (effort.empty()) effort = RawEffort(reasoning);
  if (!effort.empty()) patch->Set("reasoning_effort", effort);
}

json::ObjectPatch PatchFor(const catalogue::Endpoint& endpoint,
                           const provider::v1::GenerateRequest& request) {
  const config::v1::Quirks& quirks = endpoint.provider->quirks();
  json::ObjectPatch patch;
  patch.RemoveEach(kRouterMembers);
  patch.RemoveEach(kControlMembers);
  for (absl::string_view parameter : SamplingParameters()) {
    if (!Takes(endpoint, parameter)) patch.Remove(parameter);
  }
  patch.SetString("model", endpoint.upstream_model);
  TranslateReasoning(request.body(), &patch);
  if (request.stream()) {
    patch.Set("stream", "true");
    quirks.no_stream_options() ? patch.Remove("stream_options")
                               : patch.Set("stream_options", kStreamWithUsage);
  } else {
    patch.Replace("stream", "false");
    patch.Remove("stream_options");
  }
  for (const auto& [name, new_name] : quirks.rename_fields()) patch.Rename(name, new_name);
  for (const std::string& name : quirks.drop_fields()) patch.Remove(name);
  return patch;
}

}  // namespace

absl::StatusOr<UpstreamRequest> OpenAiDialect::Translate(
    const catalogue::Endpoint& endpoint, const provider::v1::GenerateRequest& request) const {
  const config::v1::Quirks& quirks = endpoint.provider->quirks();
  UpstreamRequest upstream;
  upstream.path = quirks.path().empty() ? "/chat/completions" : quirks.path();
  upstream.headers.Add("Content-Type", "application/json");
  upstream.headers.Add("Accept", request.stream() ? "text/event-stream" : "application/json");
  for (const auto& [name, value] : quirks.headers()) upstream.headers.Add(name, value);
  upstream.body = PatchFor(endpoint, request).Apply(request.body());
  return upstream;
}

http::Headers::Entry OpenAiDialect::KeyHeader(const catalogue::Endpoint& endpoint,
                                              absl::string_view key) const {
  const std::string& header = endpoint.provider->quirks().key_header();
  if (header.empty() || absl::EqualsIgnoreCase(header, "authorization")) {
    return {"Authorization", absl::StrCat("Bearer ", key)};
  }
  return {header, std::string(key)};
}

std::unique_ptr<AnswerReader> OpenAiDialect::ReadAnswer(const AnswerOptions& options,
                                                        absl::string_view content_type) const {
  return std::make_unique<OpenAiReader>(options, content_type);
}

}  // namespace signalbox::provider_adapter
