// The parts of an answer the gateway itself writes: usage with cost, the final usage chunk, error
// chunks and, on request, routing metadata. Adapters deliver everything else ready-made.
//
// Field rules follow the strictest public client: a member is left out rather than null wherever a
// client may refuse null, and an error chunk has the full shape of a chunk with an integer code.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_ANSWER_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_ANSWER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/money.h"
#include "services/ingress/core/attempt_plan.h"
#include "services/ingress/core/errors.h"
#include "signalbox/common/v1/usage.pb.h"
#include "signalbox/provider/v1/provider.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

// What one generation costs. `charged` is what the client pays, mark-up included; the other two are
// the provider's prices.
struct Charge {
  NanoUsd charged;
  NanoUsd provider_prompt;
  NanoUsd provider_completion;
};
// Nothing delivered costs nothing: an answer without output tokens is free, whatever the provider
// bills for the prompt.
Charge ChargeFor(const common::v1::Pricing& pricing, const common::v1::Usage& usage,
                 int32_t markup_basis_points);

// Members every chunk of one generation shares.
struct ChunkHead {
  absl::string_view id;
  absl::string_view model;
  absl::string_view provider;  // empty = left out
  int64_t created_unix = 0;
};

std::string UsageJson(const common::v1::Usage& usage, const Charge& charge);

// Appends the last chunk as an event: one choice with an empty delta that repeats the finish
// reasons, and the usage. `metadata` is the value of openrouter_metadata; empty = left out.
void AppendUsageChunk(const ChunkHead& head, const provider::v1::AttemptResult& result,
                      absl::string_view usage_json, absl::string_view metadata, std::string* out);

// Appends the chunk that ends a failed stream.
void AppendErrorChunk(const ChunkHead& head, const Failure& failure, std::string* out);

// Adds usage and metadata to a completion. REQUIRES: `completion` is a JSON object ending in '}'.
void SpliceUsage(absl::string_view usage_json, absl::string_view metadata, std::string* completion);

// What the value of openrouter_metadata is made of. Unlike OpenRouter's it also says why: scores,
// shares, exclusions.
struct RoutingStory {
  const router::v1::DecideResponse* decision = nullptr;
  absl::Span<const std::string> requested_models;
  absl::Span<const AttemptNote> attempts;
  std::string selected_endpoint;  // empty = none answered
};
std::string RoutingMetadata(const RoutingStory& story);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_ANSWER_H_
