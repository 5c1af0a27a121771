#include "services/ingress/core/catalogue_order.h"

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/money.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using catalogue::Endpoint;
using router::v1::Candidate;
using router::v1::DecideResponse;
using router::v1::ProviderPreferences;
using router::v1::RequestFeatures;

int64_t TokensNeeded(const RequestFeatures& features) {
  return features.prompt_tokens() + features.max_tokens();
}

bool Fits(int32_t context_length, const RequestFeatures& features) {
  return context_length == 0 || TokensNeeded(features) <= context_length;
}

// The tier endpoints a request admits beside the standard ones; a variant widens what the request
// leaves open.
struct Admission {
  bool free = false;
  bool standard = true;
  bool flex = false;
  bool priority = false;
};

Admission AdmissionOf(const RequestFeatures& features, const catalogue::ModelName& name) {
  Admission admission;
  admission.free = absl::c_linear_search(name.variants, "free");
  switch (features.service_tier()) {
    case router::v1::SERVICE_TIER_FLEX:
      admission.standard = false;
      admission.flex = true;
      break;
    case router::v1::SERVICE_TIER_PRIORITY:
      admission.priority = true;
      break;
    case router::v1::SERVICE_TIER_DEFAULT:
      break;
    default:
      admission.flex = absl::c_linear_search(name.variants, "floor");
      admission.priority = absl::c_linear_search(name.variants, "nitro");
  }
  return admission;
}

bool Admits(const Admission& admission, absl::string_view tier) {
  return tier.empty() ? admission.standard : tier == "flex" ? admission.flex : admission.priority;
}

bool NamesTag(const std::string& wanted, const Endpoint& endpoint) {
  return absl::EqualsIgnoreCase(wanted, endpoint.config->tag());
}

// "deepinfra" matches all of the provider's endpoints, except those of a tier that was not asked
// for; "deepinfra/fp8" that one.
bool Matches(const std::string& wanted, const Endpoint& endpoint, const Admission& admission) {
  if (NamesTag(wanted, endpoint)) return true;
  const std::string& tier = endpoint.config->service_tier();
  return (tier.empty() || Admits(admission, tier)) &&
         (absl::EqualsIgnoreCase(wanted, endpoint.provider->slug()) ||
          absl::EqualsIgnoreCase(wanted, endpoint.provider->name()));
}

using Slugs = google::protobuf::RepeatedPtrField<std::string>;

bool MatchesAny(const Slugs& slugs, const Endpoint& endpoint, const Admission& admission) {
  return absl::c_any_of(
      slugs, [&](const std::string& slug) { return Matches(slug, endpoint, admission); });
}

// A tier endpoint that is named by its tag is asked for.
bool IsPinned(const ProviderPreferences& wish, const Endpoint& endpoint) {
  if (endpoint.config->service_tier().empty()) return false;
  const auto names = [&](const std::string& slug) { return NamesTag(slug, endpoint); };
  return absl::c_any_of(wish.only(), names) || absl::c_any_of(wish.order(), names);
}

// What excludes an endpoint, in the router's words; `filter` empty = nothing does.
struct Verdict {
  absl::string_view filter;
  std::string detail;
};

Verdict PriceVerdict(const ProviderPreferences& wish, const common::v1::Pricing& price) {
  const auto over = [](absl::string_view what, int64_t pico, bool limited, int64_t limit) {
    return limited && pico > limit
               ? absl::StrCat(what, " price ", PicoToDecimal(pico), " > ", PicoToDecimal(limit))
               : std::string();
  };
  for (std::string& detail : std::vector<std::string>{
           over("prompt", price.prompt_pico(), wish.has_max_prompt_pico(), wish.max_prompt_pico()),
           over("completion", price.completion_pico(), wish.has_max_completion_pico(),
                wish.max_completion_pico()),
           over("request", price.request_pico(), wish.has_max_request_pico(),
                wish.max_request_pico()),
           over("image", price.image_pico(), wish.has_max_image_pico(), wish.max_image_pico())}) {
    if (!detail.empty()) return {"max_price", std::move(detail)};
  }
  return {};
}

// Facts of the endpoint against wishes for kinds of endpoints.
Verdict KindVerdict(const Endpoint& endpoint, const ProviderPreferences& wish,
                    const Admission& admission) {
  const std::string& tag = endpoint.config->tag();
  const std::string& tier = endpoint.config->service_tier();
  if (endpoint.config->free() != admission.free)
    return {"variant", admission.free ? "not a free endpoint" : "serves the :free variant only"};
  if (endpoint.disabled) return {"disabled", "switched off in the catalogue"};
  if (!Admits(admission, tier) && !IsPinned(wish, endpoint)) {
    return {"service_tier", absl::StrCat("service tier ", tier.empty() ? "default" : tier,
                                         " is not one of those asked for")};
  }
  if (!wish.only().empty() && !MatchesAny(wish.only(), endpoint, admission))
    return {"only", absl::StrCat(tag, " is not in provider.only")};
  if (MatchesAny(wish.ignore(), endpoint, admission))
    return {"ignore", absl::StrCat(tag, " is in provider.ignore")};
  const bool fixed = !wish.order().empty() && wish.has_allow_fallbacks() && !wish.allow_fallbacks();
  if (fixed && !MatchesAny(wish.order(), endpoint, admission))
    return {"order", absl::StrCat(tag, " is not in provider.order; allow_fallbacks is false")};
  if (wish.deny_data_collection() && endpoint.collects_data)
    return {"data_collection", "stores or trains on prompts; data_collection is deny"};
  if (wish.zdr() && !endpoint.zero_data_retention)
    return {"zdr", "no zero data retention; zdr is true"};
  if (wish.enforce_distillable_text() && !endpoint.model->distillable())
    return {"distillable", "not known to allow distillation; enforce_distillable_text is true"};
  if (!wish.quantizations().empty() &&
      !absl::c_linear_search(wish.quantizations(), endpoint.quantization)) {
    return {"quantizations", absl::StrCat("quantization ", endpoint.quantization,
                                          " is not in provider.quantizations")};
  }
  return {};
}

Verdict VerdictOn(const Endpoint& endpoint, const RequestFeatures& features,
                  const Admission& admission) {
  const ProviderPreferences& wish = features.provider();
  if (Verdict verdict = KindVerdict(endpoint, wish, admission); !verdict.filter.empty())
    return verdict;
  if (!Fits(endpoint.context_length, features)) {
    return {"context_length", absl::StrCat("context_length ", endpoint.context_length, " < ",
                                           TokensNeeded(features), " needed")};
  }
  if (Verdict verdict = PriceVerdict(wish, endpoint.pricing); !verdict.filter.empty())
    return verdict;
  for (const std::string& parameter : features.parameters()) {
    const bool must = wish.require_parameters() || parameter == "tools";
    if (must && !endpoint.SupportsParameter(parameter))
      return {"parameters", absl::StrCat("does not support ", parameter)};
  }
  for (const std::string& modality : features.input_modalities()) {
    if (!absl::c_linear_search(endpoint.model->input_modalities(), modality))
      return {"input_modalities", absl::StrCat("the model takes no ", modality, " input")};
  }
  return {};
}

void AddCandidate(const Endpoint& endpoint, int model_index, DecideResponse* decision) {
  Candidate* candidate = decision->add_candidates();
  candidate->set_endpoint_id(endpoint.id);
  candidate->set_model(endpoint.model->id());
  candidate->set_provider_name(endpoint.provider->name());
  candidate->set_provider_slug(endpoint.provider->slug());
  *candidate->mutable_pricing() = endpoint.pricing;
  candidate->set_model_index(model_index);
  candidate->set_context_length(endpoint.context_length);
  candidate->set_max_completion_tokens(endpoint.max_completion_tokens);
  candidate->set_supports_cancellation(endpoint.provider->supports_cancellation());
  candidate->set_quantization(endpoint.quantization);
  candidate->set_service_tier(endpoint.config->service_tier());
}

void AddExclusion(const Endpoint& endpoint, Verdict verdict, DecideResponse* decision) {
  router::v1::Exclusion* exclusion = decision->add_excluded();
  exclusion->set_endpoint_id(endpoint.id);
  exclusion->set_model(endpoint.model->id());
  exclusion->set_provider_slug(endpoint.provider->slug());
  exclusion->set_filter(verdict.filter.data(), verdict.filter.size());
  exclusion->set_detail(std::move(verdict.detail));
}

// Place of the endpoint in the client's `order`; endpoints that are not in it come after.
int PlaceInOrder(const ProviderPreferences& wish, const Endpoint& endpoint,
                 const Admission& admission) {
  for (int i = 0; i < wish.order_size(); ++i) {
    if (Matches(wish.order(i), endpoint, admission)) return i;
  }
  return wish.order_size();
}

void AddModel(const catalogue::Catalogue& catalogue, const RequestFeatures& features,
              int model_index, const catalogue::ModelName& name, const config::v1::Model& model,
              DecideResponse* decision) {
  struct Place {
    const Endpoint* endpoint;
    int order;
    bool behind;  // a standard endpoint where priority is asked for
    int64_t price;
  };
  const Admission admission = AdmissionOf(features, name);
  std::vector<Place> fitting;
  for (const Endpoint* endpoint : catalogue.EndpointsOf(model.id())) {
    Verdict verdict = VerdictOn(*endpoint, features, admission);
    if (!verdict.filter.empty()) {
      AddExclusion(*endpoint, std::move(verdict), decision);
      continue;
    }
    fitting.push_back({endpoint, PlaceInOrder(features.provider(), *endpoint, admission),
                       features.service_tier() == router::v1::SERVICE_TIER_PRIORITY &&
                           endpoint->config->service_tier() != "priority",
                       endpoint->pricing.prompt_pico() + endpoint->pricing.completion_pico()});
  }
  absl::c_stable_sort(fitting, [](const Place& a, const Place& b) {
    return std::tie(a.order, a.behind, a.price) < std::tie(b.order, b.behind, b.price);
  });
  for (const Place& place : fitting) AddCandidate(*place.endpoint, model_index, decision);
}

}  // namespace

absl::StatusOr<DecideResponse> DecideFromCatalogue(const catalogue::Catalogue& catalogue,
                                                   const RequestFeatures& features) {
  DecideResponse decision;
  decision.set_strategy("catalogue");
  bool found = false;
  for (int i = 0; i < features.models_size(); ++i) {
    const catalogue::ModelName name = catalogue::ParseModelName(features.models(i));
    const config::v1::Model* model = catalogue.FindModel(name.id);
    if (model == nullptr) continue;
    found = true;
    AddModel(catalogue, features, i, name, *model, &decision);
  }
  if (!found) {
    return seam::MakeError(common::v1::REASON_MODEL_NOT_FOUND,
                           absl::StrCat("no model \"", features.models(0), "\" in the catalogue"));
  }
  if (!decision.candidates().empty()) decision.clear_excluded();
  return decision;
}

}  // namespace signalbox::ingress
