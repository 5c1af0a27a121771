// What a request body says about the size of its answer. Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_REQUEST_LIMITS_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_REQUEST_LIMITS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/catalogue/catalogue.h"
#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::provider_adapter {

// Bytes of output beyond which an answer has run away: several times what max_tokens (of the
// request, else of the endpoint) could mean. INT64_MAX when neither is known. A token is four bytes
// on average, runs of spaces and rare scripts differ.
int64_t RunawayBytes(absl::string_view request_body, int64_t endpoint_max_tokens);

// Whether the endpoint is asked for a stream. A client's stream always is. A whole answer is when
// it may take long (max_tokens unset or above kShortAnswerTokens): only a stream shows a provider
// that stalls from one that works. Not when the request has members whose streamed form cannot be
// put together again, or the endpoint reports no usage in streams.
bool StreamsUpstream(const provider::v1::GenerateRequest& request,
                     const catalogue::Endpoint& endpoint);
inline constexpr int64_t kShortAnswerTokens = 256;

// Longest generation of an answer that comes in one piece, at the slowest speed worth waiting for.
// `body` as sent by the client.
absl::Duration LongestGeneration(absl::string_view request_body);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_REQUEST_LIMITS_H_
