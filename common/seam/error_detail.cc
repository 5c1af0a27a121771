#include "common/seam/error_detail.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace signalbox::seam {
namespace {

using common::v1::ErrorDetail;
using common::v1::Reason;

constexpr char kPayloadUrl[] = "type.googleapis.com/signalbox.common.v1.ErrorDetail";

Reason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return common::v1::REASON_INVALID_REQUEST;
    case absl::StatusCode::kNotFound:
      return common::v1::REASON_NOT_FOUND;
    case absl::StatusCode::kUnauthenticated:
      return common::v1::REASON_UNAUTHENTICATED;
    case absl::StatusCode::kPermissionDenied:
      return common::v1::REASON_PERMISSION_DENIED;
    case absl::StatusCode::kCancelled:
      return common::v1::REASON_CANCELLED;
    case absl::StatusCode::kDeadlineExceeded:
      return common::v1::REASON_DEADLINE_EXCEEDED;
    case absl::StatusCode::kUnavailable:
      return common::v1::REASON_UNAVAILABLE;
    default:
      return common::v1::REASON_INTERNAL;
  }
}

}  // namespace

absl::StatusCode CodeOf(Reason reason) {
  switch (reason) {
    case common::v1::REASON_INVALID_REQUEST:
    case common::v1::REASON_PAYLOAD_TOO_LARGE:
    case common::v1::REASON_PROVIDER_REJECTED:
    case common::v1::REASON_PROVIDER_CONTEXT_LENGTH:
    case common::v1::REASON_PROVIDER_MODERATED:
      return absl::StatusCode::kInvalidArgument;
    case common::v1::REASON_MODEL_NOT_FOUND:
    case common::v1::REASON_NO_ENDPOINTS:
    case common::v1::REASON_NOT_FOUND:
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
      return absl::StatusCode::kNotFound;
    case common::v1::REASON_NOT_AVAILABLE:
      return absl::StatusCode::kUnimplemented;
    case common::v1::REASON_UNAUTHENTICATED:
      return absl::StatusCode::kUnauthenticated;
    case common::v1::REASON_PERMISSION_DENIED:
      return absl::StatusCode::kPermissionDenied;
    case common::v1::REASON_PAYMENT_REQUIRED:
      return absl::StatusCode::kFailedPrecondition;
    case common::v1::REASON_RATE_LIMITED:
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
    case common::v1::REASON_PROVIDER_SATURATED:
      return absl::StatusCode::kResourceExhausted;
    case common::v1::REASON_CANCELLED:
      return absl::StatusCode::kCancelled;
    case common::v1::REASON_DEADLINE_EXCEEDED:
    case common::v1::REASON_PROVIDER_TIMEOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case common::v1::REASON_PROVIDER_UNREACHABLE:
    case common::v1::REASON_PROVIDER_RESET:
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_OVERLOADED:
    case common::v1::REASON_PROVIDER_ERROR:
    case common::v1::REASON_PROVIDER_AUTH:
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
    case common::v1::REASON_PROVIDER_NOT_CONFIGURED:
    case common::v1::REASON_TOOL_CALL_INVALID:
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
      return absl::StatusCode::kUnavailable;
    case common::v1::REASON_INTERNAL:
    case common::v1::REASON_UNSPECIFIED:
    case common::v1::Reason_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::Reason_INT_MAX_SENTINEL_DO_NOT_USE_:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;  // a value from a newer peer
}

absl::Status ToStatus(const ErrorDetail& detail) {
  absl::Status status(CodeOf(detail.reason()), detail.public_message());
  status.SetPayload(kPayloadUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

absl::Status MakeError(Reason reason, absl::string_view public_message) {
  ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_public_message(public_message.data(), public_message.size());
  return ToStatus(detail);
}

absl::Status InvalidField(absl::string_view field, absl::string_view what) {
  ErrorDetail detail;
  detail.set_reason(common::v1::REASON_INVALID_REQUEST);
  detail.set_field(field.data(), field.size());
  detail.set_public_message(absl::StrCat(field, ": ", what));
  return ToStatus(detail);
}

ErrorDetail DetailOf(const absl::Status& status) {
  ErrorDetail detail;
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (payload.has_value() && detail.ParseFromString(std::string(*payload))) return detail;
  detail.Clear();
  detail.set_reason(ReasonOfCode(status.code()));
  switch (detail.reason()) {
    case common::v1::REASON_UNAVAILABLE:
      detail.set_public_message("a part of the service is temporarily unavailable");
      detail.set_retryable(true);
      break;
    case common::v1::REASON_DEADLINE_EXCEEDED:
      detail.set_public_message("the request took too long");
      detail.set_retryable(true);
      break;
    case common::v1::REASON_INTERNAL:
      detail.set_public_message("internal error");
      break;
    default:
      detail.set_public_message(std::string(status.message()));
  }
  return detail;
}

absl::string_view ReasonName(Reason reason) {
  // Names are built once from the enum, so that a new value cannot be forgotten.
  static const auto* const names = [] {
    auto* table = new std::string[common::v1::Reason_ARRAYSIZE];
    for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
      if (!common::v1::Reason_IsValid(value)) continue;
      const std::string& full = common::v1::Reason_Name(static_cast<Reason>(value));
      table[value] = absl::AsciiStrToLower(absl::string_view(full).substr(sizeof("REASON_") - 1));
    }
    return table;
  }();
  if (!common::v1::Reason_IsValid(reason)) return "unknown";
  return names[reason];
}

bool CountsAgainstAvailability(Reason reason) {
  switch (reason) {
    case common::v1::REASON_PROVIDER_UNREACHABLE:
    case common::v1::REASON_PROVIDER_RESET:
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_TIMEOUT:
    case common::v1::REASON_PROVIDER_OVERLOADED:
    case common::v1::REASON_PROVIDER_ERROR:
    case common::v1::REASON_PROVIDER_AUTH:
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
      return true;
    default:
      return false;
  }
}

}  // namespace signalbox::seam
