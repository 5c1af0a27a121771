// Reason -> HTTP: the one table that says what a client is told when a request fails, in
// OpenRouter's error shape:
//
//   {"error":{"code":404,"message":"…","metadata":{"error_type":"not_found","excluded":[…],…},"availability":{…}}}
//
// 4xx blames the client only when the client is at fault; what we do not know is a 503 with
// Retry-After; a defect of ours is a 500 that tells nothing. The gateway's own credentials at a
// provider are never the client's 401, 402 or 403.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_ERRORS_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_ERRORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/ingress/core/attempt_plan.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

// Everything known about a request that failed.
struct Failure {
  common::v1::ErrorDetail detail;
  std::vector<AttemptNote> attempts;  // in the order they were made
  std::vector<router::v1::Exclusion>
      excluded;  // endpoints that could not serve the request, for NO_ENDPOINTS
  std::vector<std::string> requested_models;
};

Failure FailureOf(const absl::Status& status);

// What a reason means over HTTP.
struct HttpMeaning {
  int status;
  absl::string_view error_type;
  absl::string_view availability;  // code of the availability block; empty = the block is left out
};
HttpMeaning MeaningOf(common::v1::Reason reason);

struct ErrorAnswer {
  int status = 500;
  int64_t retry_after_seconds = 0;  // 0 = no Retry-After header
  std::string body;
};
ErrorAnswer ToErrorAnswer(const Failure& failure);

// The value of the member "error": what ToErrorAnswer wraps, also part of an error chunk.
std::string ErrorObject(const Failure& failure);

// Exclusions listed in one error; the rest is counted.
constexpr size_t kMaxExcludedListed = 50;

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_ERRORS_H_
