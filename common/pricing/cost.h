// What a generation costs: token counts × prices. The adapter reports it as the provider's cost,
// the ingress charges by it (with the operator's mark-up), so both must come from this one table.
//
// Every unit is billed exactly once: cached and cache-written input tokens are parts of
// prompt_tokens and leave the rest to the prompt price; reasoning and audio tokens are parts of
// completion_tokens and prompt_tokens and have no price of their own.
//
// Pure; thread-safe.
//
//   NanoUsd cost = pricing::ProviderCost(endpoint.pricing, usage).Rounded();
#ifndef SIGNALBOX_COMMON_PRICING_COST_H_
#define SIGNALBOX_COMMON_PRICING_COST_H_

#include "common/base/money.h"
#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::pricing {

// Unrounded. Counts a provider got wrong are put right in the client's favour: negative ones are
// zero, and cached plus cache-written tokens never exceed the prompt.
CostSum ProviderCost(const common::v1::Pricing& pricing, const common::v1::Usage& usage);

}  // namespace signalbox::pricing

#endif  // SIGNALBOX_COMMON_PRICING_COST_H_
