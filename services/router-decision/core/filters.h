// Which endpoints can serve a request at all, and why the others cannot.
//
// Pure. A RequestFilters is made per request, belongs to one thread and must not outlive the
// features it was made from.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_FILTERS_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_FILTERS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "services/router-decision/core/model_choice.h"
#include "services/router-decision/core/snapshot.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::router_decision {

// In the order in which they are applied: the first that excludes an endpoint names the exclusion.
// What the operator has decided comes before what the client asked for.
enum class Filter : uint8_t {
  kNone,
  kVariant,
  kDisabled,
  kProviderInactive,
  kServiceTier,
  kOnly,
  kIgnore,
  kDataCollection,
  kZdr,
  kDistillable,
  kQuantizations,
  kInputModalities,
  kParameters,
  kContextLength,
  kMaxTokens,
  kMaxPrice,
  kOrder,           // not in `order`, and allow_fallbacks is false
  kAllowFallbacks,  // not the first choice, and allow_fallbacks is false
};

// "provider_inactive"; "" for kNone.
absl::string_view FilterName(Filter filter);

// True when the entry of order, only or ignore is the endpoint's tag ("deepinfra/fp8"), whatever
// the case.
bool NamesTag(absl::string_view entry, const catalogue::Endpoint& endpoint);
// … its provider's slug ("deepinfra") or display name.
bool NamesProvider(absl::string_view entry, const catalogue::Endpoint& endpoint);

class RequestFilters {
 public:
  explicit RequestFilters(const router::v1::RequestFeatures& features);

  // The first filter that excludes the endpoint; kNone when it can serve the request.
  Filter Check(const EndpointFacts& facts, const ModelChoice& choice) const;

  // The position in `order` of the first entry that means the endpoint; order's size when none
  // does.
  int OrderPosition(const catalogue::Endpoint& endpoint) const;

  // Threshold and value of an exclusion, for people. REQUIRES: `filter` excluded the endpoint.
  std::string Explain(Filter filter, const EndpointFacts& facts, const ModelChoice& choice) const;

 private:
  // True when the entry of order, only or ignore means the endpoint: its tag, or its provider,
  // which stands for all endpoints of it except those of a service tier that was not asked for.
  bool Means(absl::string_view entry, const catalogue::Endpoint& endpoint) const;
  // An endpoint of a service tier named by its tag in order or only: that asks for it.
  bool IsPinned(const catalogue::Endpoint& endpoint) const;
  bool IsListed(const google::protobuf::RepeatedPtrField<std::string>& entries,
                const catalogue::Endpoint& endpoint) const;
  absl::string_view MissingModality(const config::v1::Model& model) const;
  absl::string_view MissingParameter(const EndpointFacts& facts) const;
  bool ContextTooShort(const catalogue::Endpoint& endpoint) const;
  bool TooExpensive(const common::v1::Pricing& pricing) const;
  int64_t NeededContext() const;
  std::string ExplainContext(const catalogue::Endpoint& endpoint) const;
  std::string ExplainPrice(const common::v1::Pricing& pricing) const;

  const router::v1::RequestFeatures& features_;
  const router::v1::ProviderPreferences& provider_;
  uint32_t accepted_quantizations_ = 0;  // 0 = all
  bool needs_tools_ = false;
  bool asks_for_flex_ = false;
  bool asks_for_priority_ = false;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_FILTERS_H_
