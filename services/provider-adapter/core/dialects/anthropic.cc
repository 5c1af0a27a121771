#include "services/provider-adapter/core/dialects/anthropic.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/json/patch.h"
#include "services/provider-adapter/core/dialects/anthropic_reader.h"
#include "services/provider-adapter/core/dialects/anthropic_request.h"

namespace signalbox::provider_adapter {
namespace {

constexpr absl::string_view kVersion = "2023-06-01";

http::Headers HeadersFor(const config::v1::Quirks& quirks,
                         const provider::v1::GenerateRequest& request) {
  http::Headers headers;
  headers.Add("Content-Type", "application/json");
  headers.Add("Accept", request.stream() ? "text/event-stream" : "application/json");
  for (const auto& [name, value] : quirks.headers()) headers.Add(name, value);
  if (!headers.Has("anthropic-version")) headers.Add("anthropic-version", kVersion);
  for (const auto& [name, value] : request.forward_headers()) {
    if (absl::EqualsIgnoreCase(name, "anthropic-beta") && !headers.Has(name))
      headers.Add("anthropic-beta", value);
  }
  return headers;
}

}  // namespace

absl::StatusOr<UpstreamRequest> AnthropicDialect::Translate(
    const catalogue::Endpoint& endpoint, const provider::v1::GenerateRequest& request) const {
  const config::v1::Quirks& quirks = endpoint.provider->quirks();
  UpstreamRequest upstream;
  upstream.path = quirks.path().empty() ? "/messages" : quirks.path();
  upstream.headers = HeadersFor(quirks, request);
  ASSIGN_OR_RETURN(upstream.body, TranslateToAnthropic(endpoint, request.body(), request.stream()));
  if (quirks.drop_fields().empty() && quirks.rename_fields().empty()) return upstream;
  json::ObjectPatch patch;
  for (const auto& [name, new_name] : quirks.rename_fields()) patch.Rename(name, new_name);
  for (const std::string& name : quirks.drop_fields()) patch.Remove(name);
  upstream.body = patch.Apply(upstream.body);
  return upstream;
}

http::Headers::Entry AnthropicDialect::KeyHeader(const catalogue::Endpoint& endpoint,
                                                 absl::string_view key) const {
  const std::string& header = endpoint.provider->quirks().key_header();
  if (absl::EqualsIgnoreCase(header, "authorization"))
    return {"Authorization", absl::StrCat("Bearer ", key)};
  return {header.empty() ? "x-api-key" : header, std::string(key)};
}

std::unique_ptr<AnswerReader> AnthropicDialect::ReadAnswer(const AnswerOptions& options,
                                                           absl::string_view content_type) const {
  return std::make_unique<AnthropicReader>(options, content_type);
}

}  // namespace signalbox::provider_adapter
