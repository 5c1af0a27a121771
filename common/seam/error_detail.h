// absl::Status <-> ErrorDetail: the meaning of an error travels as a payload of the status.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_SEAM_ERROR_DETAIL_H_
#define SIGNALBOX_COMMON_SEAM_ERROR_DETAIL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "signalbox/common/v1/error.pb.h"

namespace signalbox::seam {

// The canonical status code of a reason: what gRPC callers and logs see.
absl::StatusCode CodeOf(common::v1::Reason reason);

// A status with the detail as payload. The message is detail.public_message().
absl::Status ToStatus(const common::v1::ErrorDetail& detail);
absl::Status MakeError(common::v1::Reason reason, absl::string_view public_message);
// InvalidArgument naming the member.
absl::Status InvalidField(absl::string_view field, absl::string_view what);

// The payload of the status; without one a detail made from the code (UNAVAILABLE and
// DEADLINE_EXCEEDED are retryable, everything unknown is INTERNAL with a masked message). REQUIRES:
// !status.ok().
common::v1::ErrorDetail DetailOf(const absl::Status& status);

// "provider_rate_limited": the enum name in lower case without its prefix, for logs, metrics and
// JSON.
absl::string_view ReasonName(common::v1::Reason reason);

// True for failures that say something about the endpoint's health (uptime): connect, reset, cut,
// timeout, overload, 5xx, auth, quota, missing model, malformed, empty. False for 429s, rejected
// requests, our own limits and cancelled ones.
bool CountsAgainstAvailability(common::v1::Reason reason);

}  // namespace signalbox::seam

#endif  // SIGNALBOX_COMMON_SEAM_ERROR_DETAIL_H_
