#include "services/router-decision/core/filters.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/money.h"
#include "common/catalogue/catalogue.h"
#include "services/router-decision/core/service_tier.h"

namespace signalbox::router_decision {
namespace {

using catalogue::Endpoint;

// Two names of one thing: providers list only one of them.
absl::string_view Synonym(absl::string_view parameter) {
  if (parameter == "max_completion_tokens") return "max_tokens";
  if (parameter == "max_tokens") return "max_completion_tokens";
  if (parameter == "reasoning_effort") return "reasoning";
  return "";
}

bool Supports(const Endpoint& endpoint, absl::string_view parameter) {
  if (endpoint.SupportsParameter(parameter)) return true;
  const absl::string_view synonym = Synonym(parameter);
  return !synonym.empty() && endpoint.SupportsParameter(synonym);
}

bool HasVariant(const router::v1::RequestFeatures& features, absl::string_view variant) {
  return absl::c_any_of(features.models(), [variant](const std::string& name) {
    return absl::StrContains(name, variant);
  });
}

absl::string_view TierName(const Endpoint& endpoint) {
  const std::string& tier = endpoint.config->service_tier();
  return tier.empty() ? absl::string_view("default") : absl::string_view(tier);
}

std::string Dollars(int64_t pico) { return PicoToDecimal(pico); }

}  // namespace

absl::string_view FilterName(Filter filter) {
  switch (filter) {
    case Filter::kNone:
      return "";
    case Filter::kVariant:
      return "variant";
    case Filter::kDisabled:
      return "disabled";
    case Filter::kProviderInactive:
      return "provider_inactive";
    case Filter::kServiceTier:
      return "service_tier";
    case Filter::kOnly:
      return "only";
    case Filter::kIgnore:
      return "ignore";
    case Filter::kDataCollection:
      return "data_collection";
    case Filter::kZdr:
      return "zdr";
    case Filter::kDistillable:
      return "distillable";
    case Filter::kQuantizations:
      return "quantizations";
    case Filter::kInputModalities:
      return "input_modalities";
    case Filter::kParameters:
      return "parameters";
    case Filter::kContextLength:
      return "context_length";
    case Filter::kMaxTokens:
      return "max_tokens";
    case Filter::kMaxPrice:
      return "max_price";
    case Filter::kOrder:
      return "order";
    case Filter::kAllowFallbacks:
      return "allow_fallbacks";
  }
  return "";
}

bool NamesTag(absl::string_view entry, const Endpoint& endpoint) {
  return absl::EqualsIgnoreCase(entry, endpoint.config->tag());
}

bool NamesProvider(absl::string_view entry, const Endpoint& endpoint) {
  return absl::EqualsIgnoreCase(entry, endpoint.provider->slug()) ||
         absl::EqualsIgnoreCase(entry, endpoint.provider->name());
}

RequestFilters::RequestFilters(const router::v1::RequestFeatures& features)
    : features_(features), provider_(features.provider()) {
  for (const std::string& name : provider_.quantizations())
    accepted_quantizations_ |= QuantizationsCoveredBy(name);
  needs_tools_ = features.request_class() == common::v1::REQUEST_CLASS_TOOLS ||
                 absl::c_linear_search(features.parameters(), "tools");
  asks_for_flex_ =
      features.service_tier() == router::v1::SERVICE_TIER_FLEX || HasVariant(features, ":floor");
  asks_for_priority_ = features.service_tier() == router::v1::SERVICE_TIER_PRIORITY ||
                       HasVariant(features, ":nitro");
}

Filter RequestFilters::Check(const EndpointFacts& facts, const ModelChoice& choice) const {
  const Endpoint& endpoint = *facts.endpoint;
  if (facts.free != choice.free) return Filter::kVariant;
  if (endpoint.disabled) return Filter::kDisabled;
  if (!facts.active) return Filter::kProviderInactive;
  if (!AdmitsServiceTier(endpoint.config->service_tier(), features_, choice) && !IsPinned(endpoint))
    return Filter::kServiceTier;
  if (!provider_.only().empty() && !IsListed(provider_.only(), endpoint)) return Filter::kOnly;
  if (IsListed(provider_.ignore(), endpoint)) return Filter::kIgnore;
  if (provider_.deny_data_collection() && endpoint.collects_data) return Filter::kDataCollection;
  if (provider_.zdr() && !endpoint.zero_data_retention) return Filter::kZdr;
  if (provider_.enforce_distillable_text() && !endpoint.model->distillable())
    return Filter::kDistillable;
  if (!provider_.quantizations().empty() &&
      (facts.quantization_bit & accepted_quantizations_) == 0) {
    return Filter::kQuantizations;
  }
  if (!MissingModality(*endpoint.model).empty()) return Filter::kInputModalities;
  if (!MissingParameter(facts).empty()) return Filter::kParameters;
  if (ContextTooShort(endpoint)) return Filter::kContextLength;
  if (endpoint.max_completion_tokens > 0 &&
      features_.max_tokens() > endpoint.max_completion_tokens) {
    return Filter::kMaxTokens;
  }
  if (TooExpensive(endpoint.pricing)) return Filter::kMaxPrice;
  return Filter::kNone;
}

int RequestFilters::OrderPosition(const Endpoint& endpoint) const {
  int position = 0;
  for (const std::string& entry : provider_.order()) {
    if (Means(entry, endpoint)) break;
    ++position;
  }
  return position;
}

bool RequestFilters::IsListed(const google::protobuf::RepeatedPtrField<std::string>& entries,
                              const Endpoint& endpoint) const {
  return absl::c_any_of(entries, [&](const std::string& entry) { return Means(entry, endpoint); });
}

bool RequestFilters::Means(absl::string_view entry, const Endpoint& endpoint) const {
  if (NamesTag(entry, endpoint)) return true;
  if (!NamesProvider(entry, endpoint)) return false;
  const std::string& tier = endpoint.config->service_tier();
  return tier.empty() || (tier == "flex" ? asks_for_flex_ : asks_for_priority_);
}

bool RequestFilters::IsPinned(const Endpoint& endpoint) const {
  if (endpoint.config->service_tier().empty()) return false;
  const auto names = [&](const std::string& entry) { return NamesTag(entry, endpoint); };
  return absl::c_any_of(provider_.only(), names) || absl::c_any_of(provider_.order(), names);
}

absl::string_view RequestFilters::MissingModality(const config::v1::Model& model) const {
  for (const std::string& modality : features_.input_modalities()) {
    if (!absl::c_linear_search(model.input_modalities(), modality)) return modality;
  }
  return "";
}

// Tools always count: an endpoint that ignores them answers something else than was asked. The rest
// counts on demand.
absl::string_view RequestFilters::MissingParameter(const EndpointFacts& facts) const {
  if (needs_tools_ && !facts.supports_tools) return "tools";
  if (!provider_.require_parameters()) return "";
  for (const std::string& parameter : features_.parameters()) {
    if (!Supports(*facts.endpoint, parameter)) return parameter;
  }
  return "";
}

// A prompt that fills the whole context leaves no room for an answer.
int64_t RequestFilters::NeededContext() const {
  return features_.prompt_tokens() + std::max<int64_t>(features_.max_tokens(), 1);
}

bool RequestFilters::ContextTooShort(const Endpoint& endpoint) const {
  const int32_t longest_prompt = endpoint.config->max_prompt_tokens();
  return (endpoint.context_length > 0 && NeededContext() > endpoint.context_length) ||
         (longest_prompt > 0 && features_.prompt_tokens() > longest_prompt);
}

bool RequestFilters::TooExpensive(const common::v1::Pricing& pricing) const {
  return (provider_.has_max_prompt_pico() && pricing.prompt_pico() > provider_.max_prompt_pico()) ||
         (provider_.has_max_completion_pico() &&
          pricing.completion_pico() > provider_.max_completion_pico()) ||
         (provider_.has_max_request_pico() &&
          pricing.request_pico() > provider_.max_request_pico()) ||
         (provider_.has_max_image_pico() && pricing.image_pico() > provider_.max_image_pico());
}

std::string RequestFilters::Explain(Filter filter, const EndpointFacts& facts,
                                    const ModelChoice& choice) const {
  const Endpoint& endpoint = *facts.endpoint;
  switch (filter) {
    case Filter::kNone:
      return "";
    case Filter::kVariant:
      return choice.free ? "not a free endpoint" : "serves the :free variant only";
    case Filter::kDisabled:
      return "switched off in the catalogue";
    case Filter::kProviderInactive:
      return absl::StrCat("no key is configured for ", endpoint.provider->name());
    case Filter::kServiceTier:
      return absl::StrCat("service tier ", TierName(endpoint), " is not in [",
                          AdmittedServiceTiers(features_, choice), "]");
    case Filter::kOnly:
      return absl::StrCat(endpoint.config->tag(), " is not in provider.only [",
                          absl::StrJoin(provider_.only(), ", "), "]");
    case Filter::kIgnore:
      return absl::StrCat(endpoint.config->tag(), " is in provider.ignore [",
                          absl::StrJoin(provider_.ignore(), ", "), "]");
    case Filter::kDataCollection:
      return "stores or trains on prompts; data_collection is deny";
    case Filter::kZdr:
      return "no zero data retention; zdr is true";
    case Filter::kDistillable:
      return absl::StrCat("the licence of ", endpoint.model->id(),
                          " is not known to allow distillation; enforce_distillable_text is true");
    case Filter::kQuantizations:
      return absl::StrCat("quantization ", endpoint.quantization, " is not in [",
                          absl::StrJoin(provider_.quantizations(), ", "), "]");
    case Filter::kInputModalities:
      return absl::StrCat("the model takes no ", MissingModality(*endpoint.model), " input, only [",
                          absl::StrJoin(endpoint.model->input_modalities(), ", "), "]");
    case Filter::kParameters:
      return absl::StrCat("does not support ", MissingParameter(facts));
    case Filter::kContextLength:
      return ExplainContext(endpoint);
    case Filter::kMaxTokens:
      return absl::StrCat("max_completion_tokens ", endpoint.max_completion_tokens, " < ",
                          features_.max_tokens(), " requested");
    case Filter::kMaxPrice:
      return ExplainPrice(endpoint.pricing);
    case Filter::kOrder:
      return absl::StrCat(endpoint.config->tag(), " is not in provider.order [",
                          absl::StrJoin(provider_.order(), ", "), "]; allow_fallbacks is false");
    case Filter::kAllowFallbacks:
      return "not the first choice; allow_fallbacks is false";
  }
  return "";
}

std::string RequestFilters::ExplainContext(const Endpoint& endpoint) const {
  const int32_t longest_prompt = endpoint.config->max_prompt_tokens();
  if (longest_prompt > 0 && features_.prompt_tokens() > longest_prompt) {
    return absl::StrCat("max_prompt_tokens ", longest_prompt, " < ", features_.prompt_tokens(),
                        " needed");
  }
  return absl::StrCat("context_length ", endpoint.context_length, " < ", NeededContext(),
                      " needed (prompt ", features_.prompt_tokens(), ", max_tokens ",
                      features_.max_tokens(), ")");
}

std::string RequestFilters::ExplainPrice(const common::v1::Pricing& pricing) const {
  const auto over = [](absl::string_view what, int64_t price, bool limited, int64_t limit) {
    return limited && price > limit
               ? absl::StrCat(what, " price ", Dollars(price), " > ", Dollars(limit))
               : "";
  };
  for (std::string text :
       {over("prompt", pricing.prompt_pico(), provider_.has_max_prompt_pico(),
             provider_.max_prompt_pico()),
        over("completion", pricing.completion_pico(), provider_.has_max_completion_pico(),
             provider_.max_completion_pico()),
        over("request", pricing.request_pico(), provider_.has_max_request_pico(),
             provider_.max_request_pico()),
        over("image", pricing.image_pico(), provider_.has_max_image_pico(),
             provider_.max_image_pico())}) {
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace signalbox::router_decision
