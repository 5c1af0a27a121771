// Error bodies and model lists of both dialects.
#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/json_text.h"
#include "tests/provider-fleet/wire.h"

namespace signalbox::fleet {
namespace {

struct StatusFacts {
  int status;
  absl::string_view openai_type;
  absl::string_view openai_code;  // JSON
  absl::string_view anthropic_type;
  absl::string_view message;
};

constexpr StatusFacts kStatuses[] = {
    {400, "invalid_request_error", "\"context_length_exceeded\"", "invalid_request_error",
     "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 "
     "tokens. Please "
     "reduce the length of the messages."},
    {401, "invalid_request_error", "\"invalid_api_key\"", "authentication_error",
     "Incorrect API key provided."},
    {402, "insufficient_quota", "\"insufficient_quota\"", "billing_error",
     "Your credit balance is too low to access this API."},
    {403, "permission_error", "null", "permission_error",
     "Your API key does not have permission to use this model."},
    {404, "invalid_request_error", "\"model_not_found\"", "not_found_error",
     "The model does not exist or you do not have access to it."},
    {413, "invalid_request_error", "null", "request_too_large", "Request exceeds the maximum size"},
    {429, "rate_limit_error", "\"rate_limit_exceeded\"", "rate_limit_error",
     "Rate limit reached for requests. Please try again later."},
    {500, "server_error", "null", "api_error",
     "The server had an error while processing your request."},
    {502, "server_error", "null", "api_error", "Bad gateway"},
    {503, "server_error", "null", "overloaded_error",
     "The engine is currently overloaded, please try again later."},
    {529, "server_error", "\"overloaded\"", "overloaded_error", "Overloaded"},
};

const StatusFacts& FactsOf(int status) {
  for (const StatusFacts& facts : kStatuses) {
    if (facts.status == status) return facts;
  }
  static constexpr StatusFacts kClient = {400, "invalid_request_error", "null",
                                          "invalid_request_error", "Invalid request."};
  static constexpr StatusFacts kServer = {500, "server_error", "null", "api_error",
                                          "Internal server error"};
  return status < 500 ? kClient : kServer;
}

}  // namespace

std::string ErrorBody(Dialect dialect, int status, absl::string_view message,
                      absl::string_view id) {
  const StatusFacts& facts = FactsOf(status);
  const std::string text = Quoted(message.empty() ? facts.message : message);
  if (dialect == Dialect::kAnthropic) {
    return absl::StrCat("{\"type\":\"error\",\"error\":{\"type\":\"", facts.anthropic_type,
                        "\",\"message\":", text, "},\"request_id\":\"req_", id, "\"}");
  }
  // A message of the caller's own is not about the context length.
  const absl::string_view code = status == 400 && !message.empty() ? "null" : facts.openai_code;
  return absl::StrCat("{\"error\":{\"message\":", text, ",\"type\":\"", facts.openai_type,
                      "\",\"param\":null,\"code\":", code, "}}");
}

std::string ErrorEvent(Dialect dialect, int status, absl::string_view message,
                       absl::string_view id) {
  const absl::string_view name = dialect == Dialect::kAnthropic ? "event: error\n" : "";
  return absl::StrCat(name, "data: ", ErrorBody(dialect, status, message, id), "\n\n");
}

std::string ModelList(Dialect dialect, const std::vector<std::string>& models) {
  std::string out = dialect == Dialect::kOpenAi ? "{\"object\":\"list\",\"data\":[" : "{\"data\":[";
  for (size_t i = 0; i < models.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ",", "{\"id\":", Quoted(models[i]));
    if (dialect == Dialect::kOpenAi) {
      absl::StrAppend(&out, ",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"fleet\"}");
    } else {
      absl::StrAppend(&out, ",\"type\":\"model\",\"display_name\":", Quoted(models[i]),
                      ",\"created_at\":\"2026-01-01T00:00:00Z\"}");
    }
  }
  out.append(dialect == Dialect::kOpenAi
                 ? "]}"
                 : "],\"has_more\":false,\"first_id\":null,\"last_id\":null}");
  return out;
}

}  // namespace signalbox::fleet
