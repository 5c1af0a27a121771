#include "services/ingress/core/errors.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json/writer.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using common::v1::ErrorDetail;
using common::v1::Reason;
using json::Writer;

constexpr int64_t kOwnRetryAfterMs = 1'000;  // our own trouble passes within a restart
constexpr absl::string_view kMaskedMessage =
    "Internal error. It was recorded; the request may be repeated.";

bool IsInternal(Reason reason) { return MeaningOf(reason).status == 500; }

// A provider's words about the gateway's own account stay here: they may name it, or hold a piece
// of its key.
bool MayShowRaw(Reason reason) {
  return reason != common::v1::REASON_PROVIDER_AUTH &&
         reason != common::v1::REASON_PROVIDER_QUOTA &&
         reason != common::v1::REASON_PROVIDER_NOT_CONFIGURED && !IsInternal(reason);
}

std::string Message(const ErrorDetail& detail) {
  if (IsInternal(detail.reason())) return std::string(kMaskedMessage);
  if (!detail.public_message().empty()) return detail.public_message();
  return absl::StrCat("the request failed: ", seam::ReasonName(detail.reason()));
}

bool IsRetryable(const HttpMeaning& meaning) {
  return meaning.status == 429 || meaning.status >= 500;
}

int64_t RetryAfterMs(const ErrorDetail& detail) {
  if (detail.retry_after_ms() > 0) return detail.retry_after_ms();
  switch (detail.reason()) {
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
      return kOwnRetryAfterMs;
    default:
      return 0;
  }
}

int64_t RoundUpToSeconds(int64_t ms) { return (ms + 999) / 1'000; }

// The names OpenRouter gives to what excludes endpoints.
absl::string_view PublicFilterName(absl::string_view filter) {
  if (filter == "parameters") return "require_parameters";
  if (filter == "quantizations") return "quantization";
  if (filter == "only" || filter == "ignore" || filter == "order") return "allowed_providers";
  if (filter == "zdr") return "data_policy:zdr";
  if (filter == "data_collection") return "data_policy:training";
  return filter;
}

// What the request asked for explains a refusal better than what the operator has not configured.
int Remoteness(absl::string_view filter) {
  if (filter == "disabled" || filter == "provider_inactive") return 2;
  return filter == "variant" || filter == "service_tier" ? 1 : 0;
}

// The most telling first.
std::vector<const router::v1::Exclusion*> ExclusionsOf(const Failure& failure) {
  std::vector<const router::v1::Exclusion*> exclusions;
  exclusions.reserve(failure.excluded.size());
  for (const router::v1::Exclusion& exclusion : failure.excluded) exclusions.push_back(&exclusion);
  absl::c_stable_sort(exclusions, [](const auto* a, const auto* b) {
    return Remoteness(a->filter()) < Remoteness(b->filter());
  });
  return exclusions;
}

std::vector<absl::string_view> FiltersOf(const Failure& failure) {
  std::vector<absl::string_view> filters;
  for (const router::v1::Exclusion& exclusion : failure.excluded) {
    const absl::string_view name = PublicFilterName(exclusion.filter());
    if (!absl::c_linear_search(filters, name)) filters.push_back(name);
  }
  return filters;
}

absl::string_view AvailabilityCode(const Failure& failure, const HttpMeaning& meaning) {
  if (failure.detail.reason() != common::v1::REASON_NO_ENDPOINTS) return meaning.availability;
  if (failure.excluded.empty()) return "no_endpoints";
  bool privacy = false;
  for (const router::v1::Exclusion& exclusion : failure.excluded) {
    if (Remoteness(exclusion.filter()) > 0) continue;
    privacy = exclusion.filter() == "zdr" || exclusion.filter() == "data_collection";
    if (!privacy) break;
  }
  return privacy ? "privacy_restricted" : "constraint_filtered";
}

void WriteAttempts(const Failure& failure, Writer* w) {
  w->Key("previous_errors").BeginArray();
  for (const AttemptNote& attempt : failure.attempts) {
    const Reason reason = attempt.error.reason();
    w->BeginObject().Key("provider").String(attempt.provider).Key("model").String(attempt.model);
    w->Key("endpoint").String(attempt.endpoint_id);
    w->Key("code").Int(attempt.error.upstream_status() != 0 ? attempt.error.upstream_status()
                                                            : MeaningOf(reason).status);
    w->Key("status").String(attempt.invalid_tool_call && reason == common::v1::REASON_UNSPECIFIED
                                ? "tool_call_invalid"
                                : seam::ReasonName(reason));
    w->EndObject();
  }
  w->EndArray();
}

void WriteExcluded(const Failure& failure, Writer* w) {
  w->Key("excluded").BeginArray();
  const std::vector<const router::v1::Exclusion*> exclusions = ExclusionsOf(failure);
  const size_t listed = std::min(exclusions.size(), kMaxExcludedListed);
  for (size_t i = 0; i < listed; ++i) {
    const router::v1::Exclusion& exclusion = *exclusions[i];
    w->BeginObject()
        .Key("endpoint")
        .String(exclusion.endpoint_id())
        .Key("model")
        .String(exclusion.model());
    w->Key("provider").String(exclusion.provider_slug()).Key("filter").String(exclusion.filter());
    w->Key("detail").String(exclusion.detail()).EndObject();
  }
  w->EndArray().Key("excluded_total").UInt(failure.excluded.size());
}

void WriteMetadata(const Failure& failure, const HttpMeaning& meaning, Writer* w) {
  const ErrorDetail& detail = failure.detail;
  w->Key("metadata").BeginObject().Key("error_type").String(meaning.error_type);
  if (!IsInternal(detail.reason())) {
    w->Key("reason").String(seam::ReasonName(detail.reason()));
    if (!detail.provider().empty()) w->Key("provider_name").String(detail.provider());
    if (detail.upstream_status() != 0) w->Key("provider_code").Int(detail.upstream_status());
    if (!detail.upstream_message().empty() && MayShowRaw(detail.reason())) {
      w->Key("raw").String(detail.upstream_message());
    }
    if (!detail.field().empty()) w->Key("field").String(detail.field());
    if (detail.reason() == common::v1::REASON_PROVIDER_RATE_LIMITED) {
      w->Key("limit_source").String("upstream_provider_shared_pool");
    }
    if (!failure.attempts.empty()) WriteAttempts(failure, w);
    if (!failure.excluded.empty()) WriteExcluded(failure, w);
  }
  w->EndObject();
}

void WriteAvailability(const Failure& failure, const HttpMeaning& meaning, Writer* w) {
  const absl::string_view code = AvailabilityCode(failure, meaning);
  if (code.empty()) return;
  w->Key("availability")
      .BeginObject()
      .Key("code")
      .String(code)
      .Key("retryable")
      .Bool(IsRetryable(meaning));
  const int64_t retry_after_ms = RetryAfterMs(failure.detail);
  if (retry_after_ms > 0) w->Key("retry_after").Int(RoundUpToSeconds(retry_after_ms));
  if (!failure.requested_models.empty()) {
    w->Key("requested_models").BeginArray();
    for (const std::string& model : failure.requested_models) w->String(model);
    w->EndArray();
  }
  std::vector<absl::string_view> providers;
  for (const AttemptNote& attempt : failure.attempts) {
    if (!absl::c_linear_search(providers, attempt.provider)) providers.push_back(attempt.provider);
  }
  if (!providers.empty()) {
    w->Key("affected_providers").BeginArray();
    for (const absl::string_view provider : providers) w->String(provider);
    w->EndArray();
  }
  const std::vector<absl::string_view> filters = FiltersOf(failure);
  if (!filters.empty()) {
    w->Key("excluded_by").BeginArray();
    for (const absl::string_view filter : filters) w->String(filter);
    w->EndArray();
    const router::v1::Exclusion& first = *ExclusionsOf(failure).front();
    w->Key("constraint")
        .BeginObject()
        .Key("field")
        .String(first.filter())
        .Key("detail")
        .String(first.detail())
        .EndObject();
  }
  w->EndObject();
}

}  // namespace

HttpMeaning MeaningOf(Reason reason) {
  switch (reason) {
    case common::v1::REASON_INVALID_REQUEST:
      return {400, "invalid_request", ""};
    case common::v1::REASON_PAYLOAD_TOO_LARGE:
      return {413, "payload_too_large", ""};
    case common::v1::REASON_MODEL_NOT_FOUND:
      return {400, "invalid_request", "model_not_found"};
    case common::v1::REASON_NO_ENDPOINTS:
      return {404, "not_found", "no_endpoints"};
    // Not 501: official clients repeat every 5xx, some for an hour.
    case common::v1::REASON_NOT_AVAILABLE:
      return {400, "invalid_request", "wrong_endpoint"};
    case common::v1::REASON_UNAUTHENTICATED:
      return {401, "authentication", ""};
    case common::v1::REASON_PERMISSION_DENIED:
      return {403, "permission_denied", ""};
    case common::v1::REASON_PAYMENT_REQUIRED:
      return {402, "payment_required", ""};
    case common::v1::REASON_RATE_LIMITED:
      return {429, "rate_limit_exceeded", ""};
    case common::v1::REASON_NOT_FOUND:
      return {404, "not_found", ""};

    case common::v1::REASON_PROVIDER_UNREACHABLE:
    case common::v1::REASON_PROVIDER_RESET:
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_ERROR:
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
    case common::v1::REASON_TOOL_CALL_INVALID:
      return {502, "provider_unavailable", ""};
    case common::v1::REASON_PROVIDER_TIMEOUT:
      return {504, "timeout", ""};
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
      return {429, "rate_limit_exceeded", "capacity_exhausted"};
    case common::v1::REASON_PROVIDER_OVERLOADED:
    case common::v1::REASON_PROVIDER_SATURATED:
      return {503, "provider_overloaded", "temporarily_unavailable"};
    case common::v1::REASON_PROVIDER_AUTH:
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_NOT_CONFIGURED:
      return {502, "provider_unavailable", ""};
    case common::v1::REASON_PROVIDER_REJECTED:
      return {400, "invalid_request", ""};
    case common::v1::REASON_PROVIDER_CONTEXT_LENGTH:
      return {400, "context_length_exceeded", ""};
    case common::v1::REASON_PROVIDER_MODERATED:
      return {400, "content_policy_violation", ""};
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
      return {404, "not_found", "model_unavailable_upstream"};

    case common::v1::REASON_CANCELLED:
      return {499, "unmapped", ""};
    case common::v1::REASON_DEADLINE_EXCEEDED:
      return {504, "timeout", ""};
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
      return {503, "service_unavailable", "temporarily_unavailable"};
    case common::v1::REASON_INTERNAL:
    case common::v1::REASON_UNSPECIFIED:
    case common::v1::Reason_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::Reason_INT_MAX_SENTINEL_DO_NOT_USE_:
      return {500, "server", ""};
  }
  return {500, "server", ""};  // a value from a newer peer
}

Failure FailureOf(const absl::Status& status) {
  Failure failure;
  failure.detail = seam::DetailOf(status);
  return failure;
}

std::string ErrorObject(const Failure& failure) {
  const HttpMeaning meaning = MeaningOf(failure.detail.reason());
  Writer w(512);
  w.BeginObject().Key("code").Int(meaning.status).Key("message").String(Message(failure.detail));
  WriteMetadata(failure, meaning, &w);
  WriteAvailability(failure, meaning, &w);
  w.EndObject();
  return std::move(w).Take();
}

ErrorAnswer ToErrorAnswer(const Failure& failure) {
  ErrorAnswer answer;
  answer.status = MeaningOf(failure.detail.reason()).status;
  if (answer.status == 429 || answer.status == 503) {
    answer.retry_after_seconds = RoundUpToSeconds(RetryAfterMs(failure.detail));
  }
  answer.body = absl::StrCat("{\"error\":", ErrorObject(failure), "}");
  return answer;
}

}  // namespace signalbox::ingress
