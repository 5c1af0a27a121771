#include "services/provider-adapter/core/error_map.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "services/provider-adapter/core/dialects/provider_error.h"

namespace signalbox::provider_adapter {
namespace {

using common::v1::ErrorDetail;
using common::v1::Reason;

constexpr absl::Duration kMaxRetryAfter = absl::Minutes(5);
constexpr size_t kMaxUpstreamMessage = 1024;

using Words = absl::Span<const absl::string_view>;

// Codes and wordings by meaning. Codes are compared whole, wordings are searched in the lower-case
// message.
constexpr absl::string_view kContextCodes[] = {
    "context_length_exceeded", "context_window_exceeded", "model_context_window_exceeded",
    "max_tokens_exceeded",     "token_limit_exceeded",    "exceed_context_size_error",
    "string_above_max_length", "prompt_too_long"};
constexpr absl::string_view kContextTexts[] = {"maximum context length",
                                               "context length",
                                               "context window",
                                               "context size",
                                               "context limit",
                                               "prompt is too long",
                                               "prompt too long",
                                               "input is too long",
                                               "too many tokens",
                                               "maximum prompt length",
                                               "exceeds the maximum number of tokens",
                                               "max_new_tokens",
                                               "range of input length",
                                               "maximum number of tokens",
                                               "longer than the model",
                                               "token limit",
                                               "tokens exceed",
                                               "reduce the length",
                                               "maximum input length",
                                               "input length",
                                               "too large for model"};
constexpr absl::string_view kModerationCodes[] = {"content_filter",
                                                  "content_policy_violation",
                                                  "responsibleaipolicyviolation",
                                                  "moderation_blocked",
                                                  "data_inspection_failed",
                                                  "content_policy",
                                                  "datainspectionfailed",
                                                  "content_moderation",
                                                  "safety",
                                                  "sensitive",
                                                  "1301",
                                                  "image_content_policy_violation",
                                                  "moderation",
                                                  "prohibited_content"};
constexpr absl::string_view kModerationTexts[] = {"content management policy",
                                                  "content policy",
                                                  "safety system",
                                                  "usage policy",
                                                  "usage policies",
                                                  "inappropriate content",
                                                  "flagged",
                                                  "moderation",
                                                  "content filter",
                                                  "content filtering",
                                                  "violates our",
                                                  "unsafe content",
                                                  "sensitive content"};
constexpr absl::string_view kQuotaCodes[] = {"insufficient_quota",
                                             "billing_hard_limit_reached",
                                             "billing_not_active",
                                             "insufficient_balance",
                                             "billing_error",
                                             "exceeded_current_quota_error",
                                             "arrearage",
                                             "1113",
                                             "payment_required",
                                             "insufficient_credits",
                                             "credits_exhausted",
                                             "insufficient_user_quota",
                                             "billing",
                                             "1008"};
constexpr absl::string_view kQuotaTexts[] = {
    "insufficient balance",  "insufficient credit",         "credit balance is too low",
    "out of credits",        "exceeded your current quota", "payment required",
    "spending limit",        "billing hard limit",          "no credits",
    "insufficient funds",    "insufficient quota",          "quota exhausted",
    "account is in arrears", "requires more credits"};
constexpr absl::string_view kAuthCodes[] = {
    "invalid_api_key", "authentication_error",         "api_key_invalid",     "unauthorized",
    "unauthenticated", "invalid_authentication_error", "permission_error",    "permission_denied",
    "access_denied",   "accessdeniedexception",        "account_deactivated", "1004",
    "invalid_token"};
constexpr absl::string_view kAuthTexts[] = {"api key not valid", "incorrect api key",
                                            "invalid api key", "invalid api-key"};
constexpr absl::string_view kModelCodes[] = {"model_not_found",           "model_not_available",
                                             "model_decommissioned",      "model_not_supported",
                                             "deployment_not_found",      "deploymentnotfound",
                                             "resourcenotfoundexception", "unknown_model"};
constexpr absl::string_view kModelTexts[] = {
    "model not found",        "not a valid model", "invalid model",        "unknown model",
    "no such model",          "decommissioned",    "model does not exist", "have access to model",
    "model is not available", "unsupported model", "no longer available",  "model_not_found"};
constexpr absl::string_view kRateCodes[] = {"rate_limit_error",
                                            "rate_limit_exceeded",
                                            "rate_limit_reached_error",
                                            "resource_exhausted",
                                            "too_many_requests",
                                            "throttlingexception",
                                            "throttling",
                                            "1302",
                                            "1303",
                                            "1305",
                                            "rate_limited",
                                            "toomanyrequests"};
constexpr absl::string_view kOverloadCodes[] = {"overloaded_error",
                                                "engine_overloaded_error",
                                                "engine_overloaded",
                                                "service_unavailable",
                                                "capacity_exceeded",
                                                "provider_overloaded",
                                                "insufficient_system_resource",
                                                "unavailable",
                                                "overloaded",
                                                "capacity_exhausted",
                                                "serviceunavailableexception",
                                                "model_overloaded"};
constexpr absl::string_view kOverloadTexts[] = {"overloaded", "over capacity", "at capacity",
                                                "out of capacity"};

// Kinds that stand for an HTTP status where the body names none.
struct StatusWord {
  absl::string_view word;
  int status;
};
constexpr StatusWord kStatusWords[] = {{"invalid_request_error", 400},
                                       {"invalid_argument", 400},
                                       {"failed_precondition", 400},
                                       {"bad_request", 400},
                                       {"badrequesterror", 400},
                                       {"validationexception", 400},
                                       {"invalid_request", 400},
                                       {"invalid_prompt", 400},
                                       {"not_found_error", 404},
                                       {"not_found", 404},
                                       {"notfounderror", 404},
                                       {"unprocessable_entity", 422},
                                       {"api_error", 500},
                                       {"server_error", 500},
                                       {"internal", 500},
                                       {"internal_error", 500},
                                       {"timeout_error", 504},
                                       {"deadline_exceeded", 504},
                                       {"server", 500}};

bool HasAny(const ProviderError& error, Words codes) {
  return std::any_of(codes.begin(), codes.end(),
                     [&](absl::string_view code) { return error.HasWord(code); });
}

bool ContainsAny(absl::string_view text, Words wordings) {
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](absl::string_view w) { return absl::StrContains(text, w); });
}

int StatusOf(const ProviderError& error) {
  if (error.status != 0) return error.status;
  for (const StatusWord& entry : kStatusWords) {
    if (error.HasWord(entry.word)) return entry.status;
  }
  return 0;
}

// What the status alone says.
Reason ReasonOfStatus(int status) {
  switch (status) {
    case 401:
    case 403:
      return common::v1::REASON_PROVIDER_AUTH;
    case 402:
      return common::v1::REASON_PROVIDER_QUOTA;
    case 404:
    case 410:
      return common::v1::REASON_PROVIDER_MODEL_MISSING;
    case 405:
    case 408:
    case 421:
    case 423:
    case 424:
    case 425:
    case 426:
      return common::v1::REASON_PROVIDER_ERROR;  // their trouble, not the request's
    case 429:
      return common::v1::REASON_PROVIDER_RATE_LIMITED;
    case 451:
      return common::v1::REASON_PROVIDER_MODERATED;
    case 498:  // Groq: flex capacity exceeded
    case 503:
    case 529:
      return common::v1::REASON_PROVIDER_OVERLOADED;
    default:
      break;
  }
  if (status >= 400 && status < 500) return common::v1::REASON_PROVIDER_REJECTED;
  if (status != 0 && status < 400)
    return common::v1::REASON_PROVIDER_MALFORMED;  // redirect, 204: not the protocol
  return common::v1::REASON_PROVIDER_ERROR;
}

// Statuses under which a body may explain that the request itself is the trouble; 0 = an error
// object without one.
bool BlamesRequest(int status) {
  return status == 0 || (status >= 400 && status < 429) || status == 451;
}

Reason ReasonOf(int status, const ProviderError& error) {
  const std::string text = absl::AsciiStrToLower(error.message);
  // "tokens per minute" speaks of a rate, whatever else it says of tokens.
  const bool rate = absl::StrContains(text, "per minute") || absl::StrContains(text, "rate limit");
  if (HasAny(error, kOverloadCodes)) return common::v1::REASON_PROVIDER_OVERLOADED;
  // Google words every rate limit as "exceeded your current quota": its status word is the one to
  // believe.
  if (error.HasWord("resource_exhausted")) return common::v1::REASON_PROVIDER_RATE_LIMITED;
  if (HasAny(error, kQuotaCodes) || ContainsAny(text, kQuotaTexts))
    return common::v1::REASON_PROVIDER_QUOTA;
  if (HasAny(error, kRateCodes)) return common::v1::REASON_PROVIDER_RATE_LIMITED;
  if (BlamesRequest(status)) {
    if (HasAny(error, kModerationCodes)) return common::v1::REASON_PROVIDER_MODERATED;
    if (HasAny(error, kContextCodes)) return common::v1::REASON_PROVIDER_CONTEXT_LENGTH;
    if (HasAny(error, kModelCodes) || ContainsAny(text, kModelTexts))
      return common::v1::REASON_PROVIDER_MODEL_MISSING;
    if (HasAny(error, kAuthCodes) || ContainsAny(text, kAuthTexts))
      return common::v1::REASON_PROVIDER_AUTH;
    if (!rate && ContainsAny(text, kContextTexts))
      return common::v1::REASON_PROVIDER_CONTEXT_LENGTH;
    if (ContainsAny(text, kModerationTexts)) return common::v1::REASON_PROVIDER_MODERATED;
  }
  if (status == 0 && rate) return common::v1::REASON_PROVIDER_RATE_LIMITED;
  if ((status == 0 || status >= 429) && status != 429 && ContainsAny(text, kOverloadTexts)) {
    return common::v1::REASON_PROVIDER_OVERLOADED;
  }
  return ReasonOfStatus(status);
}

absl::string_view Describe(Reason reason) {
  switch (reason) {
    case common::v1::REASON_PROVIDER_UNREACHABLE:
      return "the provider could not be reached";
    case common::v1::REASON_PROVIDER_RESET:
      return "the connection was lost before the answer began";
    case common::v1::REASON_PROVIDER_CUT:
      return "the answer ended before it was complete";
    case common::v1::REASON_PROVIDER_TIMEOUT:
      return "the provider did not answer in time";
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
      return "the provider is limiting the request rate";
    case common::v1::REASON_PROVIDER_OVERLOADED:
      return "the provider is overloaded";
    case common::v1::REASON_PROVIDER_AUTH:
      return "the provider refused this gateway's credentials";
    case common::v1::REASON_PROVIDER_QUOTA:
      return "this gateway's quota at the provider is used up";
    case common::v1::REASON_PROVIDER_REJECTED:
      return "the provider does not accept this request";
    case common::v1::REASON_PROVIDER_CONTEXT_LENGTH:
      return "prompt and output exceed the context length at the provider";
    case common::v1::REASON_PROVIDER_MODERATED:
      return "the provider refused the content of the request";
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
      return "the provider does not serve the model";
    case common::v1::REASON_PROVIDER_MALFORMED:
      return "the provider's answer does not follow the protocol";
    default:
      return "the provider failed";
  }
}

// Providers quote (masked) keys and organisation ids in their messages; none of that is the
// client's business.
bool LooksSecret(absl::string_view word) {
  for (absl::string_view prefix : {"sk-", "gsk_", "xai-", "AIza", "org-", "key-", "Bearer"}) {
    if (absl::StrContains(word, prefix)) return true;
  }
  return false;
}

std::string Presentable(absl::string_view message) {
  std::string out;
  for (absl::string_view word :
       absl::StrSplit(message, absl::ByAnyChar(" \n\r\t"), absl::SkipEmpty())) {
    if (out.size() + word.size() + 1 > kMaxUpstreamMessage) break;
    absl::StrAppend(&out, out.empty() ? "" : " ", LooksSecret(word) ? "[redacted]" : word);
  }
  // Proto strings must be UTF-8; a body that was cut, or never was text, may not be.
  if (!simdjson::validate_utf8(out)) {
    for (char& c : out) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  }
  return out;
}

// The text of AUTH and QUOTA speaks of the operator's account.
bool IsOperatorsMatter(Reason reason) {
  return reason == common::v1::REASON_PROVIDER_AUTH || reason == common::v1::REASON_PROVIDER_QUOTA;
}

ErrorDetail MakeDetail(Reason reason) {
  ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_retryable(IsRetryable(reason));
  const absl::string_view text = Describe(reason);
  detail.set_public_message(text.data(), text.size());
  return detail;
}

ErrorDetail MakeDetail(Reason reason, const ProviderError& error) {
  ErrorDetail detail = MakeDetail(reason);
  if (!IsOperatorsMatter(reason)) detail.set_upstream_message(Presentable(error.message));
  detail.set_retry_after_ms(absl::ToInt64Milliseconds(std::min(error.retry_after, kMaxRetryAfter)));
  return detail;
}

absl::Duration RetryAfterOf(const http::Headers& headers, absl::Time now) {
  int64_t ms = 0;
  if (absl::SimpleAtoi(headers.Get("retry-after-ms"), &ms) && ms > 0)
    return std::min(absl::Milliseconds(ms), kMaxRetryAfter);
  return ParseRetryAfter(headers.Get("retry-after"), now);
}

}  // namespace

ErrorDetail ClassifyStatus(int status, const http::Headers& headers, absl::string_view body,
                           absl::Time now) {
  const ProviderError error = ReadProviderError(body);
  ErrorDetail detail = MakeDetail(ReasonOf(status, error), error);
  detail.set_upstream_status(status);
  detail.set_public_message(absl::StrCat(detail.public_message(), " (HTTP ", status, ")"));
  const absl::Duration retry_after = RetryAfterOf(headers, now);
  if (retry_after > absl::ZeroDuration())
    detail.set_retry_after_ms(absl::ToInt64Milliseconds(retry_after));
  return detail;
}

ErrorDetail ClassifyErrorObject(absl::string_view json) {
  const ProviderError error = ReadProviderError(json);
  const int status = StatusOf(error);
  ErrorDetail detail = MakeDetail(ReasonOf(status, error), error);
  detail.set_upstream_status(200);  // what the provider answered, whatever the body says
  return detail;
}

ErrorDetail ClassifyTransport(const http::ClientError& error) {
  using Kind = http::ClientError::Kind;
  switch (error.kind) {
    case Kind::kResolve:
    case Kind::kConnect:
    case Kind::kConnectTimeout:
    case Kind::kTls:
      return MakeDetail(common::v1::REASON_PROVIDER_UNREACHABLE);
    case Kind::kReset:
      return MakeDetail(error.received_bytes ? common::v1::REASON_PROVIDER_CUT
                                             : common::v1::REASON_PROVIDER_RESET);
    case Kind::kHeadTimeout:
    case Kind::kIdleTimeout:
      return MakeDetail(common::v1::REASON_PROVIDER_TIMEOUT);
    case Kind::kProtocol:
    case Kind::kTooLarge:
      return MakeDetail(common::v1::REASON_PROVIDER_MALFORMED);
  }
  return MakeDetail(common::v1::REASON_PROVIDER_ERROR);
}

absl::Duration ParseRetryAfter(absl::string_view value, absl::Time now) {
  value = absl::StripAsciiWhitespace(value);
  if (value.empty()) return absl::ZeroDuration();
  absl::Duration wait = absl::ZeroDuration();
  double seconds = 0;
  absl::Time date;
  std::string error;
  const bool numeric = value.find_first_not_of("0123456789.") == absl::string_view::npos;
  if (numeric && absl::SimpleAtod(value, &seconds)) {
    wait = absl::Seconds(std::min(seconds, absl::ToDoubleSeconds(kMaxRetryAfter)));
  } else if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", value, &date, &error)) {
    wait = date - now;
  }
  return std::clamp(wait, absl::ZeroDuration(), kMaxRetryAfter);
}

bool IsRetryable(Reason reason) {
  switch (reason) {
    case common::v1::REASON_UNSPECIFIED:
    case common::v1::REASON_INVALID_REQUEST:
    case common::v1::REASON_PAYLOAD_TOO_LARGE:
    case common::v1::REASON_MODEL_NOT_FOUND:
    case common::v1::REASON_NO_ENDPOINTS:
    case common::v1::REASON_NOT_AVAILABLE:
    case common::v1::REASON_UNAUTHENTICATED:
    case common::v1::REASON_PERMISSION_DENIED:
    case common::v1::REASON_PAYMENT_REQUIRED:
    case common::v1::REASON_NOT_FOUND:
    case common::v1::REASON_CANCELLED:
    case common::v1::REASON_INTERNAL:
      return false;
    case common::v1::REASON_RATE_LIMITED:
    case common::v1::REASON_PROVIDER_UNREACHABLE:
    case common::v1::REASON_PROVIDER_RESET:
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_TIMEOUT:
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
    case common::v1::REASON_PROVIDER_OVERLOADED:
    case common::v1::REASON_PROVIDER_ERROR:
    case common::v1::REASON_PROVIDER_AUTH:
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_REJECTED:
    case common::v1::REASON_PROVIDER_CONTEXT_LENGTH:
    case common::v1::REASON_PROVIDER_MODERATED:
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
    case common::v1::REASON_TOOL_CALL_INVALID:
    case common::v1::REASON_PROVIDER_SATURATED:
    case common::v1::REASON_PROVIDER_NOT_CONFIGURED:
    case common::v1::REASON_DEADLINE_EXCEEDED:
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
      return true;
    case common::v1::Reason_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::Reason_INT_MAX_SENTINEL_DO_NOT_USE_:
      return false;
  }
  return false;  // a value from a newer peer
}

}  // namespace signalbox::provider_adapter
