// Token counts for an answer whose provider reported none. Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_USAGE_ESTIMATE_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_USAGE_ESTIMATE_H_

#include <cstdint>

#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::provider_adapter {

// Four bytes of text are one token on average.
constexpr int64_t TokensOfBytes(int64_t bytes) { return (bytes + 3) / 4; }

inline common::v1::Usage EstimateUsage(int64_t request_bytes, int64_t output_bytes) {
  common::v1::Usage usage;
  usage.set_source(common::v1::Usage::SOURCE_ESTIMATED);
  usage.set_prompt_tokens(TokensOfBytes(request_bytes));
  usage.set_completion_tokens(TokensOfBytes(output_bytes));
  return usage;
}

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_USAGE_ESTIMATE_H_
