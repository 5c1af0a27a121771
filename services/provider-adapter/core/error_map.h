// Provider answer -> reason: the one table that knows what providers' errors mean.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ERROR_MAP_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ERROR_MAP_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/http/client.h"
#include "common/http/message.h"
#include "signalbox/common/v1/error.pb.h"

namespace signalbox::provider_adapter {

// A non-200 answer. `body` may be cut; JSON error objects of the known shapes are searched for
// code, type and message.
common::v1::ErrorDetail ClassifyStatus(int status, const http::Headers& headers,
                                       absl::string_view body, absl::Time now);

// An error object found inside a 200 answer or an event: {"error": {…}} or {"type":"error", …}.
common::v1::ErrorDetail ClassifyErrorObject(absl::string_view json);

// Trouble of the connection itself.
common::v1::ErrorDetail ClassifyTransport(const http::ClientError& error);

// Seconds or HTTP date, capped at 5 minutes; garbage, negative or absent = zero.
absl::Duration ParseRetryAfter(absl::string_view value, absl::Time now);

// Fills retryable from the reason: one switch over the whole enum.
bool IsRetryable(common::v1::Reason reason);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ERROR_MAP_H_
